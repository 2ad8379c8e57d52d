import type { Exchange } from './exchange.js';

/** An answer that is an event stream: kept alive by comments, and dropped when its reader takes nothing. */
export class EventStream {
  /** False for `HEAD`, which gets the head and is done. */
  readonly open: boolean;
  private readonly heart: NodeJS.Timeout;
  private stalled: NodeJS.Timeout | undefined;

  constructor(
    private readonly x: Exchange,
    /** Called when a reader that was full has drained. */
    private readonly drained: () => void,
    /** Called when the stream is over, whoever ended it. */
    closed: () => void,
  ) {
    const { app, res, req } = x;
    this.open = req.method !== 'HEAD';
    const stop = () => {
      clearTimeout(this.heart);
      clearTimeout(this.stalled);
      closed();
    };
    if (this.open) x.beginWaiting(stop);
    this.heart = setTimeout(() => this.write(':\n\n'), app.settings.heartbeatMs); // a comment: the connection is alive
    // The body ends with the connection (RFC 9112, section 6.3): it has no other end, and what is framed once can be
    // written as it is to every reader.
    res.useChunkedEncodingByDefault = false;
    // Proxies are told not to store, and not to buffer: nginx reads X-Accel-Buffering.
    const caching = { 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' };
    x.head(200, { 'Content-Type': 'text/event-stream', ...caching });
    // "The reconnection time, in milliseconds" (WHATWG HTML, section 9.2.2).
    if (this.open) this.write(`retry: ${app.settings.retryMs}\n\n`);
    else {
      res.end();
      stop();
    }
  }

  /** Whether the reader has yet to take what was written. */
  get full(): boolean {
    return this.stalled !== undefined;
  }

  /** True while the reader takes what is written. While it does not, nothing is written, and nothing kept for it. */
  write(text: string | Buffer): boolean {
    const { res, app } = this.x;
    this.heart.refresh();
    if (this.full || text.length === 0) return !this.full;
    if (res.write(text)) return true;
    this.stalled = setTimeout(() => res.destroy(), app.settings.stallMs);
    res.once('drain', () => {
      clearTimeout(this.stalled);
      this.stalled = undefined;
      this.drained();
    });
    return false;
  }

  /** Ends the stream: its client comes back with the id of the last event. */
  end(): void {
    this.x.res.end();
  }
}
