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
  /** The bodies that are on their way; the one that has stood still for the longest time is first. */
  private readonly arriving = new Set<Arrival>();
  /** Bytes that were handed on in this turn of the event loop. */
  private handedOn = 0;
  /** Whole bodies that wait for a turn, and what each counts for. */
  private readonly whole: { bytes: number; handOn: () => void }[] = [];

  /** The whole body. Errors: `tooLarge(limit)` past `limit` bytes, 503, and whatever ended the request. */
  async collect(req: IncomingMessage, limit: number, tooLarge: (limit: number) => Problem): Promise<Buffer> {
    const { body, capacity } = await new Promise<Arrival>((resolve, reject) => {
      new Arrival(this, req, limit, tooLarge, resolve, reject);
    });
    const bytes = body.length + BODY_BYTES;
    if (this.handedOn >= TURN_BYTES) await new Promise<void>((handOn) => this.whole.push({ bytes, handOn }));
    else this.count(bytes);
    this.held -= capacity;
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

  /** A body has moved on, and takes so many more bytes of memory. */
  advance(arrival: Arrival, bytes: number): void {
    this.held += bytes;
    this.arriving.delete(arrival);
    this.arriving.add(arrival);
    this.relieve();
  }

  /** A body is on its way no longer, and gives so many bytes of memory back. */
  leave(arrival: Arrival, bytes: number): void {
    this.arriving.delete(arrival);
    this.held -= bytes;
  }

  private relieve(): void {
    for (const arrival of this.arriving) {
      if (this.held <= MAX_BYTES && this.arriving.size <= MAX_BODIES) return;
      arrival.refuse(STALEST);
    }
  }
}

const NOTHING = Buffer.alloc(0);

/**
 * A body on its way. A class, whose listeners stay: tsx spends a microsecond on each closure that has a name, and Node as
 * much on taking a listener off.
 */
class Arrival {
  private bytes = NOTHING;
  private length = 0;
  private over = false;

  constructor(
    private readonly all: BodyCollector,
    private readonly req: IncomingMessage,
    private readonly limit: number,
    private readonly tooLarge: (limit: number) => Problem,
    private readonly resolve: (whole: Arrival) => void,
    private readonly reject: (reason: Error | Problem) => void,
  ) {
    req.on('data', (chunk: Buffer) => this.take(chunk)).on('end', () => this.end());
    req
      .on('error', (error) => this.refuse(error))
      .on('close', () => this.over || this.refuse(new Error('The client has left.')));
    all.advance(this, 0);
  }

  /** What has come of it. */
  get body(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** What it takes in memory, in bytes. */
  get capacity(): number {
    return this.bytes.length;
  }

  private take(chunk: Buffer): void {
    if (this.over) return;
    const { bytes, limit, length } = this;
    const size = length + chunk.length;
    if (size > limit) return void this.refuse(this.tooLarge(limit));
    if (size > bytes.length) {
      // A copy: a piece is part of what the connection has read, and would keep all of that. A body that is whole at once
      // is soon handed on, and may share a buffer with others meanwhile, which takes less time to make.
      const isWhole = Number(this.req.headers['content-length']) === size;
      this.bytes = isWhole
        ? Buffer.allocUnsafe(size)
        : Buffer.allocUnsafeSlow(Math.min(limit, Math.max(size, 2 * bytes.length)));
      bytes.copy(this.bytes, 0, 0, length);
    }
    chunk.copy(this.bytes, length);
    this.length = size;
    this.all.advance(this, this.bytes.length - bytes.length);
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    this.all.leave(this, 0);
    this.resolve(this);
  }

  refuse(reason: Error | Problem): void {
    if (this.over) return;
    this.over = true;
    this.all.leave(this, this.bytes.length);
    this.bytes = NOTHING;
    this.reject(reason);
  }
}
