import { setTimeout as sleep } from 'node:timers/promises';
import { type Ask, Exchange, type SeenExchange } from '../exchange.js';
import { longestSilence, type StreamEvent, type Transcript, transcribe } from './transcript.js';

/** What came after a cut, against what a reader that was never cut got meanwhile. */
export interface Resume {
  /** The last id that was read before the cut. */
  readonly lastId: string;
  readonly status: number;
  /** Ids of events that the whole reader got, and the reader that resumed passed over. */
  readonly lost: readonly string[];
  /** Ids of events that came before the cut and again after it. */
  readonly repeated: readonly string[];
  /** How many events came after the cut. */
  readonly events: number;
  /**
   * `compared`: both readers see the same stream. `own`: each connection has a stream of its own, so only repeats show.
   * `quiet`: nothing happened that could have been lost.
   */
  readonly kind: 'compared' | 'own' | 'quiet';
}

/** What became of a reader that did not read for a while. */
export interface Unread {
  readonly heldMs: number;
  /** How many events another reader got meanwhile. */
  readonly events: number;
  readonly bytes: number;
  /** The bytes fit into buffers on the way: nothing can be told of the server. */
  readonly fits: boolean;
  /** How many of the events it did not get when it read again, although later ones came or the stream ended. */
  readonly lost: number;
  /** The server closed its connection. */
  readonly closed: boolean;
}

/** A request for the stream, and what its answer said. */
export interface Heard {
  readonly exchange: SeenExchange;
  readonly transcript: Transcript;
}

/** All that was seen of an event stream. */
export interface StreamSeen extends Heard {
  readonly watchedMs: number;
  readonly silenceMs: number;
  readonly resumes: readonly Resume[];
  /** The same stream, asked for with `Accept-Encoding`, as browsers do. */
  readonly compressed: Heard | undefined;
  /** The answer to a page of another origin. */
  readonly foreign: SeenExchange | undefined;
  /** The same stream, reached in another way (`--beside`). */
  readonly beside: Heard | undefined;
  /** What a reader gets that comes back, with the last id, after the server had ended the stream. */
  readonly again: Heard | undefined;
  /** The answer over HTTP/2: `exchange` itself, or another one; undefined if it was not asked for, or is not served. */
  readonly http2: SeenExchange | undefined;
  /** Undefined if it was not tried. */
  readonly unread: Unread | undefined;
}

/** How many readers are cut. */
const CUTS = 3;
/** The least time that a resumed reader waits for events, in milliseconds. */
const MIN_RESUME_MS = 1_000;
/** How much a reader that does not read lets the server send over HTTP/2, in bytes. */
const WINDOW = 1_024;
/** What the buffers of two systems may hold of a connection over HTTP/1.1, in bytes: Linux grows them to 4 and 6 MiB (tcp(7)). */
const SOCKET_BUFFERS = 10 * 2 ** 20;
/** How long a reader waits for what was kept for it, in milliseconds. */
const KEPT_MS = 2_000;
/** How long a reader waits that comes back after the end, in milliseconds. */
const AGAIN_MS = 4_000;

export interface WatchOptions {
  readonly forMs: number;
  readonly ask: Ask;
  /** An origin that is not the server's. */
  readonly origin: string;
  readonly beside?: string | undefined;
  /** Stops watching as soon as all else was tried. Default: false. */
  readonly quick?: boolean | undefined;
  /** How long a reader does not read, in milliseconds. 0: that is not tried. */
  readonly unreadMs: number;
  /** Numbers from 0 to 1: after how many events a reader is cut. */
  readonly random: () => number;
  /** Is told of each request. */
  readonly sent: (exchange: Exchange) => void;
}

/**
 * Watches an event stream whose response head has come: `exchange` reads on, undisturbed, while others are opened beside
 * it, over the same version of HTTP. At most eleven requests to its URL, and one to that of `beside`.
 */
export async function watchStream(exchange: Exchange, options: WatchOptions): Promise<StreamSeen> {
  const { forMs, ask, origin, sent } = options;
  const opened: Exchange[] = [exchange];
  const send = (headers: Record<string, string> = {}, change: Partial<Ask> = {}) => {
    const each = new Exchange({ ...ask, ...change, headers: { ...ask.headers, ...headers } });
    opened.push(each);
    sent(each);
    return each;
  };
  try {
    const left = () => Math.max(0, forMs - exchange.now);
    const safe = (ask.method ?? 'GET') === 'GET';
    const compressed = safe ? send({ 'accept-encoding': 'gzip, deflate, br' }) : undefined;
    const beside = options.beside === undefined ? undefined : send({}, { url: options.beside });
    const foreign = safe ? send({ origin }) : undefined;
    const overHttp2 = exchange.protocol === 'HTTP/2';
    const http2 = safe && !overHttp2 && ask.url.startsWith('https:') ? send({}, { protocol: 'HTTP/2' }) : undefined;
    const notReading = safe && options.unreadMs > 0 ? readNothing(exchange, options.unreadMs, send, left) : undefined;
    const probes = [foreign, http2].map(async (probe) => {
      await probe?.until(() => probe.headAt !== undefined, left());
      probe?.close();
    });
    const resumes: Resume[] = [];
    if (safe) {
      while (resumes.length < CUTS && left() > 0 && !ask.signal?.aborted) {
        const resume = await cutAndResume(exchange, options, send, left);
        if (!resume) break;
        resumes.push(resume);
      }
    }
    if (options.quick) await untilEvents(exchange, left(), (events) => events.length > 1);
    else await exchange.until(() => exchange.endedAt !== undefined, left());
    await Promise.all(probes);
    const unread = await notReading;
    await compressed?.until(() => compressed.bytes > 0, left());
    const watchedMs = exchange.now;
    const ended = exchange.ending === 'whole';
    const transcript = await transcribe(exchange);
    let again: StreamSeen['again'];
    if (ended && safe) {
      const lastId = transcript.events.findLast(({ id }) => id !== undefined)?.id;
      const back = send(lastId === undefined ? {} : { 'last-event-id': header(lastId) });
      await back.until(() => back.endedAt !== undefined || back.bytes > 0, AGAIN_MS);
      await back.until(() => back.endedAt !== undefined, 500);
      again = { exchange: back, transcript: await transcribe(back) };
    }
    const read = async (each: Exchange | undefined) => each && { exchange: each, transcript: await transcribe(each) };
    const silenceMs = longestSilence(exchange);
    const others = { compressed: await read(compressed), beside: await read(beside) };
    return {
      ...{ exchange, transcript, watchedMs, silenceMs, resumes, ...others, foreign, again },
      http2: overHttp2 ? exchange : http2?.headAt === undefined ? undefined : http2,
      unread,
    };
  } finally {
    for (const each of opened) each.close();
  }
}

/** An id as the value of a header: UTF-8, a byte a character. HTML, section 9.2.3. */
const header = (id: string) => Buffer.from(id, 'utf8').toString('latin1');

const idsOf = (events: readonly StreamEvent[]) => events.flatMap(({ id }) => (id === undefined ? [] : [id]));

/** Reads some events, cuts the connection, comes back with `Last-Event-ID`, and compares. */
async function cutAndResume(
  whole: Exchange,
  { random }: WatchOptions,
  send: (headers?: Record<string, string>) => Exchange,
  left: () => number,
): Promise<Resume | undefined> {
  const reader = send();
  const wanted = 1 + Math.floor(random() * 4);
  await untilEvents(reader, left() / 2, (events) => {
    const ids = idsOf(events).length;
    return ids >= wanted || (ids === 0 && events.length >= wanted);
  });
  reader.close();
  const read = (await transcribe(reader)).events;
  // The cut is at an event, wherever the piece that brought it ends.
  const cut = read
    .flatMap(({ id }, i) => (id ? [i] : []))
    .slice(0, wanted)
    .at(-1);
  if (cut === undefined) return undefined;
  const before = read.slice(0, cut + 1);
  const lastId = before[cut]!.id!;

  // Both readers see one stream if what came to the reader also came to the whole one.
  const after = (events: readonly StreamEvent[]) => {
    const index = events.findLastIndex(({ id }) => id === lastId);
    return index < 0 ? undefined : events.slice(index + 1);
  };
  await untilEvents(whole, Math.min(left(), 1_000), (events) => after(events) !== undefined);
  const same = (await transcribe(whole)).events;
  const shared = before.every(({ id, data }) => same.some((other) => other.id === id && other.data === data));
  if (shared) await untilEvents(whole, left(), (events) => idsOf(after(events) ?? []).length > 0);
  const expected = shared ? idsOf(after((await transcribe(whole)).events) ?? []) : [];

  const resumed = send({ 'last-event-id': header(lastId) });
  const earlier = new Set(idsOf(before));
  const known = new Set([...earlier, ...expected]);
  await untilEvents(resumed, Math.max(left(), MIN_RESUME_MS), (events) => {
    const ids = new Set(idsOf(events));
    return shared ? [...ids].some((id) => !known.has(id)) || expected.every((id) => ids.has(id)) : ids.size > 0;
  });
  const { events } = await transcribe(resumed);
  resumed.close();
  const ids = new Set(idsOf(events));
  // What came is in order, so that an event is lost for certain once a later one has come, or the stream has ended. The
  // later one may come to the whole reader a moment after it came to this one.
  if (expected.some((id) => !ids.has(id)))
    await untilEvents(whole, KEPT_MS, (read) => idsOf(read).some((id) => ids.has(id) && !known.has(id)));
  const order = shared ? idsOf((await transcribe(whole)).events) : [];
  const lastIndex = new Map(order.map((id, i) => [id, i]));
  const furthest = order.findLastIndex((id) => ids.has(id));
  const ended = resumed.ending === 'whole';
  const lost = expected.filter(
    (id) => resumed.status === 200 && !ids.has(id) && (ended || lastIndex.get(id)! < furthest),
  );
  const repeated = [...ids].filter((id) => earlier.has(id));
  const kind = shared ? (expected.length > 0 || repeated.length > 0 ? 'compared' : 'quiet') : 'own';
  return { lastId, status: resumed.status, lost, repeated, events: events.length, kind };
}

/** Opens a stream, reads nothing of it for a while, and compares what comes then with what another reader got meanwhile. */
async function readNothing(
  whole: Exchange,
  ms: number,
  send: (headers: Record<string, string>, change: Partial<Ask>) => Exchange,
  left: () => number,
): Promise<Unread | undefined> {
  const reader = send({}, { unread: true, windowBytes: WINDOW });
  await reader.until(() => reader.headAt !== undefined, left());
  if (reader.status !== 200) return undefined;
  const since = performance.now();
  await reader.until(() => reader.endedAt !== undefined, Math.min(ms, left()));
  const closedUnread = reader.endedAt !== undefined;
  const heldMs = performance.now() - since;
  const key = ({ id, event, data }: StreamEvent) => JSON.stringify([id, event, data]);
  const later = ({ at }: { at: number }) => whole.began + at > since;
  const before = (await transcribe(whole)).events;
  const expected = before.filter(later).map(key);
  const bytes = whole.pieces.filter(later).reduce((sum, piece) => sum + piece.bytes.length, 0);
  reader.read();
  const last = expected.at(-1);
  const known = new Set(before.map(key));
  const isLate = (event: StreamEvent) => key(event) === last || !known.has(key(event));
  await untilEvents(reader, KEPT_MS, (events) => last === undefined || events.some(isLate));
  const got = new Set((await transcribe(reader)).events.map(key));
  reader.close();
  const closed = closedUnread || reader.ending === 'cut';
  // What came is in order: an event is lost for certain once a later one has come, or the server has ended the stream. The
  // later one may come to the whole reader a moment after it came to this one.
  if (expected.some((each) => !got.has(each)))
    await untilEvents(whole, KEPT_MS, (events) => events.map(key).some((each) => got.has(each) && !known.has(each)));
  const order = (await transcribe(whole)).events.map(key);
  const lastIndex = new Map(order.map((each, i) => [each, i]));
  // What a server made before it saw this reader was not for it, though a proxy may have held that back from the other one.
  const first = order.findIndex((each) => got.has(each));
  const furthest = reader.ending === 'whole' ? order.length : order.findLastIndex((each) => got.has(each));
  const isLost = (at: number) => first >= 0 && first < at && at < furthest;
  const lost = expected.filter((each) => !got.has(each) && isLost(lastIndex.get(each)!)).length;
  const fits = bytes <= (reader.protocol === 'HTTP/2' ? WINDOW : SOCKET_BUFFERS);
  return { heldMs, events: expected.length, bytes, fits, lost, closed };
}

/** Waits until the events of an exchange are what is asked for. */
async function untilEvents(exchange: Exchange, ms: number, done: (events: readonly StreamEvent[]) => boolean) {
  const limit = performance.now() + ms;
  for (;;) {
    const seen = exchange.bytes;
    const began = performance.now();
    if (done((await transcribe(exchange)).events)) return true;
    // Spends at most half of the time on reading events, even if the stream is large and fast.
    await sleep(Math.min(performance.now() - began, Math.max(0, limit - performance.now())));
    const left = limit - performance.now();
    if (left <= 0 || (exchange.endedAt !== undefined && exchange.bytes === seen)) return false;
    await exchange.until(() => exchange.bytes !== seen || exchange.endedAt !== undefined, left);
  }
}
