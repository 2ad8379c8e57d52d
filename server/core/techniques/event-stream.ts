import type { Exchange } from '../exchange.js';
import { AS_IT_IS } from '../problem.js';

/**
 * The headers of a stream. Proxies are told not to store it, not to compress it (RFC 9111, section 5.2.2.6), since a
 * compressor collects text, and not to buffer it: nginx reads X-Accel-Buffering.
 */
const HEAD = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
  ...AS_IT_IS,
};

/** Answers `HEAD`: the headers of a stream, and no stream. */
export const streamHead = (x: Exchange): void => x.empty(200, HEAD);

/** An answer that is an event stream: kept alive by comments, and dropped when its reader takes nothing. */
export class EventStream {
  private readonly heart: NodeJS.Timeout;
  /** Whether the client has yet to take what was written. */
  full = false;

  constructor(
    private readonly x: Exchange,
    /** Called when a client that was full has taken everything. */
    private readonly drained: () => void,
    /** Called when the stream is over, whoever ended it; perhaps twice. */
    private readonly closed: () => void,
  ) {
    const { context } = x;
    context.waiting.enter(x.lifetime, this);
    this.heart = setTimeout(() => this.write(':\n\n'), context.settings.heartbeatMs); // a comment: the connection is alive
    x.lifetime.onEnd(() => this.close());
    x.openStream(HEAD);
    // "The reconnection time, in milliseconds" (WHATWG HTML, section 9.2.2).
    this.write(`retry: ${context.settings.retryMs}\n\n`);
  }

  /** Returns false once the client has stopped reading: until it reads again, nothing more is written or kept for it. */
  write(text: string | Buffer): boolean {
    const { res, lifetime } = this.x;
    this.heart.refresh();
    if (this.full || text.length === 0 || res.writableEnded) return !this.full;
    if (res.write(text)) return true;
    this.full = true;
    lifetime.addUnsent(text.length);
    res.once('drain', () => {
      this.full = false;
      lifetime.took(lifetime.unsent);
      if (!res.writableEnded) this.drained();
    });
    return false;
  }

  /** Ends the stream: its client comes back with the id of the last event. */
  finish(): void {
    this.close();
    this.x.res.end();
  }

  private close(): void {
    clearTimeout(this.heart);
    this.x.context.waiting.leave(this);
    this.closed();
  }
}
