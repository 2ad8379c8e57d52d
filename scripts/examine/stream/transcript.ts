import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { createParser } from 'eventsource-parser';
import { type Exchange, MAX_BYTES, type Piece, type SeenExchange } from '../exchange.js';

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

/** Reads an exchange's body, as far as it has come, as an event stream. HTML, section 9.2.6. */
export async function transcribe(exchange: Pick<Exchange, 'headers' | 'pieces'>): Promise<Transcript> {
  const transcript: Transcript = {
    ...{ events: [], bursts: [], comments: [], retries: [], badRetries: [], unknownFields: [] },
    ...{ emptyEvents: 0, unfinished: false, broken: false },
  };
  const { events, bursts } = transcript;
  let at = 0;
  const parser = createParser({
    onEvent: ({ event = 'message', id, data }) => events.push({ event, id, data, at }),
    onComment: () => transcript.comments.push(at),
    onRetry: (retry) => transcript.retries.push(retry),
    onError: ({ type, field, value, line }) => {
      if (type === 'invalid-retry') transcript.badRetries.push(value ?? '');
      else if (type === 'unknown-field' && transcript.unknownFields.length < 10) {
        transcript.unknownFields.push(line ?? field ?? '');
      }
    },
  });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  /** The line that has not ended yet. */
  let line = '';
  /** Which fields the event has so far that has not ended yet. */
  let block = { open: false, event: false, data: false };
  const feed = (lines: string) => {
    parser.feed(lines);
    for (const each of lines.split(/\r\n|\n|\r/).slice(0, -1)) {
      if (each === '') {
        if (block.event && !block.data) transcript.emptyEvents += 1;
        block = { open: false, event: false, data: false };
      } else {
        const event = block.event || /^event(:|$)/.test(each);
        block = { open: true, event, data: block.data || /^data(:|$)/.test(each) };
      }
    }
  };
  for (const piece of await decompressed(exchange)) {
    at = piece.at;
    let text: string;
    try {
      text = decoder.decode(piece.bytes, { stream: true });
    } catch {
      transcript.broken = true;
      break;
    }
    const before = events.length;
    line += text;
    if (/[\r\n]/.test(text)) {
      // A carriage return at the end may be the first half of a line's end.
      const end = Math.max(line.lastIndexOf('\n'), line.lastIndexOf('\r', line.length - 2)) + 1;
      feed(line.slice(0, end));
      line = line.slice(end);
    }
    let burst = bursts.at(-1);
    if (!burst || at - burst.endsAt > BURST_MS) {
      burst = { at, endsAt: at, bytes: 0, events: [], splits: false };
      bursts.push(burst);
    }
    burst.endsAt = at;
    burst.bytes += piece.bytes.length;
    burst.events.push(...events.slice(before));
    burst.splits = block.open || line !== '';
  }
  if (line.endsWith('\r')) feed(`${line}\n`);
  transcript.unfinished = block.data;
  return transcript;
}

/** The pieces of a body without its content coding. Each has the time of the last bytes that it needed. */
async function decompressed({ headers, pieces }: Pick<Exchange, 'headers' | 'pieces'>): Promise<readonly Piece[]> {
  const coding = headers['content-encoding']?.toLowerCase();
  if (coding === undefined || coding === 'identity') return pieces;
  const flush = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
  const flushBrotli = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH };
  const decoder =
    coding === 'br'
      ? createBrotliDecompress(flushBrotli)
      : coding === 'deflate'
        ? createInflate(flush)
        : createGunzip(flush);
  const out: Piece[] = [];
  let at = 0;
  let size = 0;
  decoder.on('data', (bytes: Buffer) => {
    out.push({ at, bytes });
    size += bytes.length;
    // A few kilobytes may stand for gigabytes.
    if (size > MAX_BYTES) decoder.destroy();
  });
  const broken = new Promise<void>((resolve) => decoder.once('error', () => resolve()).once('close', resolve));
  for (const piece of [...pieces]) {
    at = piece.at;
    // The callback comes when all that these bytes decompress to was handed over.
    const taken = new Promise<void>((resolve) => decoder.write(piece.bytes, () => resolve()));
    await Promise.race([taken, broken]);
    if (decoder.errored || decoder.destroyed) break;
  }
  decoder.destroy();
  return out;
}

/** When anything came, the response head included: what resets the time-outs on the way. */
export function longestSilence(exchange: SeenExchange): number {
  const times = [exchange.headAt ?? 0, ...exchange.pieces.map(({ at }) => at), exchange.endedAt ?? exchange.now];
  return times.slice(1).reduce((longest, at, i) => Math.max(longest, at - times[i]!), 0); // too many for arguments
}
