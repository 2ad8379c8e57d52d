import { createHash, type Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import type { Technique } from '../../../server/techniques.js';
import type { Examination } from '../examine-url.js';
import type { SeenExchange } from '../exchange.js';
import { count, duration, type Finding, judge, SEVERITIES } from '../finding.js';
import { type Recorded, type Recording, recorded } from '../recording/read-har.js';
import { PAGE_PARTS, recordingRules } from '../recording/recording-rules.js';
import { shownUrl } from '../redact.js';
import { mediaType, streamRules } from '../stream/stream-rules.js';
import { longestSilence, transcribe } from '../stream/transcript.js';
import type { Observer } from './passage.js';

/** How many requests are kept for the findings: the newest. */
const MAX_RECORDS = 20_000;
/** How many bytes of an answer are compared with the answer before. */
const MAX_COMPARED = 1024 * 1024;
/** How many ids of events are kept, of one stream and of all, and how many characters of an id. */
const MAX_IDS = 10_000;
const MAX_ALL_IDS = 200_000;
const MAX_ID = 100;
/** How many paths have a stream that is examined, and how many bytes of it are kept. */
const MAX_WATCHED = 10;
const MAX_WATCHED_BYTES = 1024 * 1024;
/** The most pieces of a stream that are kept. Bytes alone are no bound: a service may send each byte in a piece of its own. */
const MAX_WATCHED_PIECES = 50_000;
/** How many earlier GETs are remembered, to recognize a short poll. */
const MAX_KNOWN = 5_000;
/** A GET whose answer was held for so long is a long poll, in milliseconds. */
const HELD_MS = 2_000;

/** The rules of recordings that traffic of several clients would set off wrongly, or that a proxy cannot see. */
const ONE_CLIENT = ['recording-waited', 'recording-overlapping-polls', 'recording-ignored-retry-after'];
const passingRecordingRules = recordingRules.filter(({ id }) => !ONE_CLIENT.includes(id));
/** The rules of streams that need nothing but one stream which was read by somebody else. */
const PASSIVE = [
  ...['stream-encoding', 'stream-buffered', 'stream-head-late', 'stream-no-ids', 'stream-silence', 'stream-cut'],
  ...['stream-caching', 'stream-proxy-hints', 'stream-retry', 'stream-format'],
];
const passiveStreamRules = streamRules.filter(({ id }) => PASSIVE.includes(id));

/** An event stream on its way: what the service sent, whatever faults the proxy made of it. */
interface Watched extends SeenExchange {
  readonly shown: string;
  headAt: number | undefined;
  bytes: number;
  endedAt: number | undefined;
  ending: SeenExchange['ending'];
}

/** What the ledger learns about a request. */
export interface Told {
  route?: string;
  technique?: Technique;
  status?: number;
  events?: number;
}

/** What has passed through the proxy, as far as it is kept: no secret, and no body but those of a few streams. */
export class PassingTraffic {
  private records: Recorded[] = [];
  private readonly watched = new Map<string, Watched>();
  /** The technique that a repeated GET is taken for, by the key of what it asks for. The newest last. */
  private readonly known = new Map<string, Technique>();
  private readonly began = Date.now();
  private idsLeft = MAX_ALL_IDS;
  private passed = 0;
  private streams = 0;
  private webSockets = 0;

  constructor(private readonly origin: string) {}

  /** The path of a request, as it may be shown: without secrets of its query. */
  route(path: string): string {
    return path === '*' ? path : shownUrl(`${this.origin}${path}`).slice(this.origin.length);
  }

  /** A WebSocket passes. */
  countWebSocket(): void {
    this.passed += 1;
    this.webSockets += 1;
  }

  /** Begins to observe a request. `tell` is called when more of it is known. One that is refused does not pass, and is not kept. */
  observe(req: IncomingMessage, path: string, tell: (told: Told) => void, isRefused = false): Observer {
    if (isRefused) {
      tell({ route: this.route(path) });
      return { head() {}, piece() {}, headPassed: (status) => tell({ status }), piecePassed() {}, ended() {} };
    }
    this.passed += 1;
    const { method = 'GET' } = req;
    const arrivedAt = Date.now();
    const arrived = performance.now();
    const now = () => performance.now() - arrived;
    const url = `${this.origin}${path === '*' ? '/' : path}`;
    const key = recorded(entryOf(req, url, arrivedAt), this.began).key;
    let technique = this.techniqueOf(req, key);
    tell({ route: this.route(path), technique });
    let answer: IncomingMessage | undefined;
    let headAt: number | undefined;
    let isPart = false;
    let body: Hash | undefined;
    let bytes = 0;
    const eventIds: (string | undefined)[] = [];
    /** Reads what the service sends, and what is passed on: a fault may lie between them. */
    let ids: EventReader | undefined;
    let shown: EventReader | undefined;
    let watched: Watched | undefined;
    return {
      head: (head) => {
        answer = head;
        headAt = now();
        const isStream = head.statusCode === 200 && /^text\/event-stream\b/i.test(head.headers['content-type'] ?? '');
        if (isStream) {
          technique = method === 'GET' ? 'event-stream' : 'submit';
          if (method === 'GET') this.know(key, technique);
          this.streams += 1;
          if (head.headers['content-encoding'] === undefined) {
            let events = 0;
            shown = eventReader(() => tell({ events: ++events }));
            ids = this.idReader(eventIds);
          }
          watched = this.watch(key, url, head, headAt, now);
        } else if (method === 'GET') {
          isPart = isPartOf(req, head);
          if (isPart) technique = 'other';
          else if (headAt >= HELD_MS && technique !== 'event-stream') technique = 'long-poll';
          this.know(key, technique === 'other' && !isPart ? 'short-poll' : technique);
          body = createHash('sha256');
        }
        tell({ technique });
      },
      piece: (piece) => {
        bytes += piece.length;
        if (bytes <= MAX_COMPARED) body?.update(piece);
        ids?.feed(piece);
        if (!watched || watched.ending) return;
        watched.bytes = bytes;
        watched.pieces.push({ at: now(), bytes: piece });
        const isFull = bytes > MAX_WATCHED_BYTES || watched.pieces.length >= MAX_WATCHED_PIECES;
        if (isFull) Object.assign(watched, { ending: 'bound', endedAt: now() });
      },
      headPassed: (status) => tell({ status }),
      piecePassed: (piece) => shown?.feed(piece),
      ended: (how) => {
        if (watched && !watched.ending) {
          watched.endedAt = now();
          if (how !== 'left') watched.ending = how === 'whole' ? 'whole' : 'cut';
        }
        const { lastEventId, type, ...entry } = recorded(entryOf(req, url, arrivedAt, now(), answer), this.began);
        const isCompared = body && how === 'whole' && bytes <= MAX_COMPARED && answer?.statusCode !== 304;
        this.keep({
          ...entry,
          ...{ bytes, http1: true, blockedMs: undefined, eventIds: ids && eventIds, etag: undefined },
          type: isPart ? 'text/html' : type, // for the rules, so that they take it for no poll
          lastEventId: lastEventId === undefined ? undefined : shortened(lastEventId),
          body: isCompared ? body?.digest('base64') : undefined,
        });
      },
    };
  }

  /** The technique that a request seems to use, before its answer has come. */
  private techniqueOf({ method = 'GET', headers }: IncomingMessage, key: string): Technique {
    if (method !== 'GET') return ['HEAD', 'OPTIONS', 'TRACE'].includes(method) ? 'other' : 'submit';
    if (/^text\/event-stream$/i.test(headers.accept?.trim() ?? '')) return 'event-stream';
    if (/(^|[,\s])wait\s*=/i.test(String(headers.prefer ?? ''))) return 'long-poll';
    return this.known.get(key) ?? 'other';
  }

  /** Reads the ids of a stream's events into a list. */
  private idReader(ids: (string | undefined)[]) {
    return eventReader(({ id }) => {
      if (ids.length >= MAX_IDS || this.idsLeft === 0) return;
      this.idsLeft -= 1;
      ids.push(id === undefined ? id : shortened(id));
    });
  }

  private know(key: string, technique: Technique): void {
    this.known.delete(key);
    this.known.set(key, technique);
    if (this.known.size > MAX_KNOWN) this.known.delete(this.known.keys().next().value as string);
  }

  private keep(record: Recorded): void {
    this.records.push(record);
    if (this.records.length >= 1.1 * MAX_RECORDS) this.records = this.records.slice(-MAX_RECORDS);
  }

  /** Begins to keep what a stream says, unless one of the same path is read at the moment. A later one replaces it. */
  private watch(
    key: string,
    url: string,
    { headers, statusCode = 0 }: IncomingMessage,
    headAt: number,
    now: () => number,
  ): Watched | undefined {
    const before = this.watched.get(key);
    if (before ? before.endedAt === undefined : this.watched.size >= MAX_WATCHED) return undefined;
    const watched: Watched = {
      ...{ shown: shownUrl(url), ask: { url }, status: statusCode, headAt, pieces: [], bytes: 0, error: undefined },
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')])),
      ...{
        began: performance.now() - headAt,
        endedAt: undefined,
        ending: undefined,
        maxStreams: undefined,
        goaway: undefined,
      },
      get now() {
        return now();
      },
    };
    this.watched.set(key, watched);
    return watched;
  }

  /** Judges what has passed so far. `faults` were switched on at some time. Sends nothing. */
  async examine(off: readonly string[] = [], faults = false): Promise<Examination> {
    const requests = this.records.slice(-MAX_RECORDS).sort((a, b) => a.startedAt - b.startedAt);
    const durationMs = Date.now() - this.began;
    const recording: Recording = { creator: 'the proxy', requests, durationMs, unreadable: 0, leftOut: 0 };
    const findings: Finding[] = judge(passingRecordingRules, recording, off);
    for (const exchange of this.watched.values()) {
      const transcript = await transcribe(exchange);
      const seen = {
        ...{ exchange, transcript, watchedMs: exchange.endedAt ?? exchange.now, silenceMs: longestSilence(exchange) },
        ...{ resumes: [], compressed: undefined, foreign: undefined, beside: undefined, again: undefined },
        http2: undefined,
        unread: undefined,
      };
      const found = judge(passiveStreamRules, seen, off);
      findings.push(...found.map((finding) => ({ ...finding, saw: `${exchange.shown}: ${finding.saw}` })));
    }
    const rules = [...passingRecordingRules, ...passiveStreamRules].map(({ id }) => id);
    const made = faults ? ' Faults were switched on: requests that were slow or broke off may be their doing.' : '';
    return {
      ...{ subject: this.origin, kind: 'passing traffic', requests: 0 },
      summary: `${count(this.passed, 'request')} passed to ${this.origin} in ${duration(durationMs)}, ${count(this.streams, 'event stream')}${this.webSockets ? ` and ${count(this.webSockets, 'WebSocket')}` : ''} among them.${made}`,
      rules: rules.filter((id) => !off.includes(id)),
      findings: findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)),
    };
  }

  /** How many requests have passed. */
  get size(): number {
    return this.passed;
  }
}

/** An id as it is kept. It is copied, since a part of a text holds the whole of it in memory. */
const shortened = (id: string) => Buffer.from(id.slice(0, MAX_ID), 'utf8').toString('utf8');

/** Whether an answer is a part of a page or of a file, which is loaded again and again without being polled. */
function isPartOf({ headers }: IncomingMessage, answer: IncomingMessage): boolean {
  if (answer.statusCode === 206) return true;
  // Browsers say what they want an answer for (W3C, Fetch Metadata Request Headers).
  const wanted = headers['sec-fetch-dest'];
  if (wanted !== undefined && wanted !== 'empty') return true;
  return PAGE_PARTS.test(mediaType({ 'content-type': answer.headers['content-type'] ?? '' }));
}

interface EventReader {
  feed(bytes: Buffer): void;
}

/** Reads a stream as it comes, and tells of each event. After an event that is too long, it reads no further. */
function eventReader(onEvent: (event: { id?: string | undefined }) => void): EventReader {
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent, maxBufferSize: MAX_COMPARED });
  let isLost = false;
  return {
    feed(bytes) {
      if (isLost) return;
      try {
        parser.feed(decoder.decode(bytes, { stream: true }));
      } catch {
        isLost = true;
      }
    },
  };
}

/** A request and its answer, as a recording has them. */
function entryOf(req: IncomingMessage, url: string, startedAt: number, time = 0, answer?: IncomingMessage) {
  const fields = (raw: readonly string[] = []) =>
    raw.flatMap((name, i) => (i % 2 === 0 ? [{ name, value: raw[i + 1] ?? '' }] : []));
  return {
    startedDateTime: new Date(startedAt).toISOString(),
    ...{ time, timings: {}, connection: undefined, _connectionId: undefined, _resourceType: '' },
    request: {
      method: req.method ?? 'GET',
      url,
      httpVersion: `HTTP/${req.httpVersion}`,
      headers: fields(req.rawHeaders),
    },
    response: {
      ...{ status: answer?.statusCode ?? 0, headers: fields(answer?.rawHeaders) },
      content: { mimeType: mediaType({ 'content-type': answer?.headers['content-type'] ?? '' }) },
    },
    _eventSourceMessages: undefined,
  };
}
