import {
  type BrotliDecompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  type Gunzip,
  type Inflate,
} from 'node:zlib';
import { createParser } from 'eventsource-parser';
import { type Exchange, MAX_BYTES, type SeenExchange } from '../exchange.js';

export interface StreamEvent {
  readonly event: string;
  /** Its own id; undefined if it has none. */
  readonly id: string | undefined;
  readonly data: string;
  /** When its last byte came, in milliseconds since the request. */
  readonly at: number;
}

/** Pieces that came within 50 ms of each other: what was written at once may take several packets. */
export interface Burst {
  readonly at: number;
  endsAt: number;
  bytes: number;
  readonly events: StreamEvent[];
  /** The burst ends inside an event: the rest of it came with the next one. */
  splits: boolean;
}
const BURST_MS = 50;

/** What an event stream said, and when. */
export interface Transcript {
  readonly events: StreamEvent[];
  readonly bursts: Burst[];
  /** When comments came. */
  readonly comments: number[];
  /** The values of `retry`, in milliseconds. */
  readonly retries: number[];
  /** The values of `retry` that are no whole number. */
  readonly badRetries: string[];
  /** Lines whose field no reader knows, up to ten. */
  readonly unknownFields: string[];
  /** Blocks with `event` and without `data`: no reader dispatches them. */
  emptyEvents: number;
  /** The last event has data, and no blank line behind it. */
  unfinished: boolean;
  /** The bytes are no UTF-8, or are compressed and broken. */
  broken: boolean;
}

/** Of an exchange, what a transcript is made from. */
type Body = Pick<Exchange, 'headers' | 'pieces'>;

const readers = new WeakMap<Body, BodyReader>();

/**
 * Reads an exchange's body, as far as it has come, as an event stream. HTML, section 9.2.6. Each piece is read once: what is
 * returned grows when the same exchange is transcribed again.
 */
export async function transcribe(exchange: Body): Promise<Transcript> {
  const reader = readers.get(exchange) ?? new BodyReader(exchange);
  readers.set(exchange, reader);
  return reader.read();
}

class BodyReader {
  readonly #transcript: Transcript = {
    ...{ events: [], bursts: [], comments: [], retries: [], badRetries: [], unknownFields: [] },
    ...{ emptyEvents: 0, unfinished: false, broken: false },
  };
  readonly #body: Body;
  #decompressor: Decompressor | undefined;
  readonly #parser = createParser({
    onEvent: ({ event = 'message', id, data }) => this.#transcript.events.push({ event, id, data, at: this.#at }),
    onComment: () => this.#transcript.comments.push(this.#at),
    onRetry: (retry) => this.#transcript.retries.push(retry),
    onError: ({ type, field, value, line }) => {
      const { badRetries, unknownFields } = this.#transcript;
      if (type === 'invalid-retry') badRetries.push(value ?? '');
      else if (type === 'unknown-field' && unknownFields.length < 10) unknownFields.push(line ?? field ?? '');
    },
  });
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  /** How many pieces were read whole. */
  #done = 0;
  /** How many bytes of the next piece were read. The last piece may grow. */
  #taken = 0;
  /** When the piece came that is being read. */
  #at = 0;
  /** The line that has not ended yet. */
  #line = '';
  /** The text so far ends in a carriage return: a line feed that follows belongs to it. */
  #afterReturn = false;
  /** Which fields the event has so far that has not ended yet. */
  #block = { open: false, event: false, data: false };
  #reading: Promise<unknown> = Promise.resolve();

  constructor(body: Body) {
    this.#body = body;
  }

  /** Reads what has come since the last call. */
  async read(): Promise<Transcript> {
    const reading = this.#reading.then(() => this.#readOn());
    this.#reading = reading;
    await reading;
    return this.#transcript;
  }

  async #readOn(): Promise<void> {
    const { pieces, headers } = this.#body;
    const coding = headers['content-encoding']?.toLowerCase();
    // The headers are there once a piece is.
    if (!this.#decompressor && pieces.length > 0 && coding !== undefined && coding !== 'identity')
      this.#decompressor = new Decompressor(coding);
    for (let piece = pieces[this.#done]; piece && !this.#transcript.broken; piece = pieces[this.#done]) {
      const bytes = piece.bytes.subarray(this.#taken);
      this.#taken += bytes.length;
      this.#at = piece.at;
      if (bytes.length > 0) {
        for (const each of this.#decompressor ? await this.#decompressor.write(bytes) : [bytes]) {
          if (!this.#transcript.broken) this.#take(each);
        }
      } else if (this.#done + 1 < pieces.length) {
        this.#done += 1;
        this.#taken = 0;
      } else break;
    }
    this.#transcript.unfinished = this.#block.data;
  }

  #take(bytes: Buffer): void {
    const { events, bursts } = this.#transcript;
    let text: string;
    try {
      text = this.#decoder.decode(bytes, { stream: true });
    } catch {
      this.#transcript.broken = true;
      return;
    }
    const before = events.length;
    this.#feed(text);
    const at = this.#at;
    let burst = bursts.at(-1);
    if (!burst || at - burst.endsAt > BURST_MS) {
      burst = { at, endsAt: at, bytes: 0, events: [], splits: false };
      bursts.push(burst);
    }
    burst.endsAt = at;
    burst.bytes += bytes.length;
    for (let i = before; i < events.length; i += 1) burst.events.push(events[i]!);
    burst.splits = this.#block.open || this.#line !== '';
  }

  #feed(text: string): void {
    const rest = this.#afterReturn && text.startsWith('\n') ? text.slice(1) : text;
    if (text !== '') this.#afterReturn = text.endsWith('\r');
    if (!/[\r\n]/.test(rest)) {
      this.#line += rest;
      return;
    }
    const lines = (this.#line + rest).split(/\r\n|\n|\r/);
    this.#line = lines.pop()!;
    this.#parser.feed(`${lines.join('\n')}\n`);
    for (const each of lines) {
      if (each === '') {
        if (this.#block.event && !this.#block.data) this.#transcript.emptyEvents += 1;
        this.#block = { open: false, event: false, data: false };
      } else {
        const event = this.#block.event || /^event(:|$)/.test(each);
        this.#block = { open: true, event, data: this.#block.data || /^data(:|$)/.test(each) };
      }
    }
  }
}

/** Takes the content coding off a body, piece by piece. */
class Decompressor {
  readonly #stream: BrotliDecompress | Gunzip | Inflate;
  readonly #broken: Promise<void>;
  #out: Buffer[] = [];
  #size = 0;

  constructor(coding: string) {
    const flush = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
    const flushBrotli = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH };
    this.#stream =
      coding === 'br'
        ? createBrotliDecompress(flushBrotli)
        : coding === 'deflate'
          ? createInflate(flush)
          : createGunzip(flush);
    this.#stream.on('data', (bytes: Buffer) => {
      this.#out.push(bytes);
      this.#size += bytes.length;
      // A few kilobytes may stand for gigabytes.
      if (this.#size > MAX_BYTES) this.#stream.destroy();
    });
    this.#broken = new Promise((resolve) => this.#stream.once('error', () => resolve()).once('close', resolve));
  }

  /** Resolves with what these bytes complete; with nothing once the body was broken, or too large. */
  async write(bytes: Buffer): Promise<Buffer[]> {
    this.#out = [];
    if (this.#stream.errored || this.#stream.destroyed) return [];
    // The callback comes when all that these bytes decompress to was handed over.
    const taken = new Promise<void>((resolve) => this.#stream.write(bytes, () => resolve()));
    await Promise.race([taken, this.#broken]);
    return this.#out;
  }
}

/** The longest time without a byte, in milliseconds, from the response head on: it is what time-outs on the way measure. */
export function longestSilence(exchange: SeenExchange): number {
  const times = [exchange.headAt ?? 0, ...exchange.pieces.map(({ at }) => at), exchange.endedAt ?? exchange.now];
  return times.slice(1).reduce((longest, at, i) => Math.max(longest, at - times[i]!), 0); // too many for arguments
}
