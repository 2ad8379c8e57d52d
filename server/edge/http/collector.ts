import type { IncomingMessage } from 'node:http';
import { Problem } from '../../core/problem.js';

/** Bytes that may be held for all bodies that are not whole yet. */
const MAX_BYTES = 64 * 1024 * 1024;
/** How many bodies may be on their way. */
const MAX_BODIES = 4_000;
/** Once bodies of so many bytes are handed on in a turn of the event loop, the others wait for the next one. */
const TURN_BYTES = 64 * 1024;
/** What a body counts for besides its bytes: to read and to store even an empty one takes time. */
const BODY_BYTES = 64;

const STALEST = new Problem(
  503,
  'Too many bodies are arriving, and nothing came of this one for the longest time. Send it again, without a pause.',
  { 'Retry-After': '1' },
);

/**
 * Collects bodies that are small enough for memory. A body costs about as much as its bytes, however many pieces it arrives
 * in. All of them together are bounded: past a bound, the body that has stood still for the longest time is refused.
 * Whole bodies take turns: what they hold may take long to read and to store, and other requests are answered in between.
 */
export class BodyCollector {
  /** Bytes that are held for bodies that are not whole yet. */
  private held = 0;
  /** How to refuse each body that is on its way; the one that has stood still for the longest time is first. */
  private readonly arriving = new Map<IncomingMessage, (problem: Problem) => void>();
  /** Bytes that were handed on in this turn of the event loop. */
  private handedOn = 0;
  /** Whole bodies that wait for a turn, and what each counts for. */
  private readonly whole: { bytes: number; handOn: () => void }[] = [];

  /** The whole body. Errors: `tooLarge` past `limit` bytes, 503, and whatever ended the request. */
  async collect(req: IncomingMessage, limit: number, tooLarge: Problem): Promise<Buffer> {
    const body = await this.arrive(req, limit, tooLarge);
    const bytes = body.length + BODY_BYTES;
    if (this.handedOn >= TURN_BYTES) await new Promise<void>((handOn) => this.whole.push({ bytes, handOn }));
    else this.count(bytes);
    this.held -= body.buffer.byteLength;
    return body;
  }

  private count(bytes: number): void {
    if (this.handedOn === 0) setImmediate(() => this.nextTurn());
    this.handedOn += bytes;
  }

  private nextTurn(): void {
    this.handedOn = 0;
    let next = 0;
    while (next < this.whole.length && this.handedOn < TURN_BYTES) {
      const { bytes, handOn } = this.whole[next++]!;
      this.count(bytes);
      handOn();
    }
    this.whole.splice(0, next);
  }

  /** Resolves with the whole body, whose memory is counted as held until it is handed on. */
  private arrive(req: IncomingMessage, limit: number, tooLarge: Problem): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      let bytes = Buffer.alloc(0);
      let length = 0;
      const take = (chunk: Buffer) => {
        const size = length + chunk.length;
        if (size > limit) return refuse(tooLarge);
        if (size > bytes.length) {
          // A copy: a piece is part of what the connection has read, and would keep all of that.
          const larger = Buffer.allocUnsafeSlow(Math.min(limit, Math.max(size, 2 * bytes.length)));
          bytes.copy(larger, 0, 0, length);
          this.held += larger.length - bytes.length;
          bytes = larger;
        }
        chunk.copy(bytes, length);
        length = size;
        this.arriving.delete(req);
        this.arriving.set(req, refuse);
        this.relieve();
      };
      const stop = () => {
        req.off('data', take).off('end', whole).off('error', refuse).off('close', gone);
        this.arriving.delete(req);
      };
      const whole = () => {
        stop();
        resolve(bytes.subarray(0, length));
      };
      const refuse = (reason: Error | Problem) => {
        stop();
        this.held -= bytes.length;
        reject(reason);
      };
      const gone = () => refuse(new Error('The client has left.'));
      this.arriving.set(req, refuse);
      req.on('data', take).once('end', whole).once('error', refuse).once('close', gone);
      this.relieve();
    });
  }

  private relieve(): void {
    for (const refuse of this.arriving.values()) {
      if (this.held <= MAX_BYTES && this.arriving.size <= MAX_BODIES) return;
      refuse(STALEST);
    }
  }
}
