import { Problem } from '../shared/problem.mjs';
import { answerRules } from './answer/answer-rules.js';
import { newKey, watchAnswer } from './answer/watch-answer.js';
import { type Ask, DEFAULT_HEADERS, type Exchange, open, type Protocol } from './exchange.js';
import { count, duration, type Finding, judge, type Rule } from './finding.js';
import type { TimelineRow } from './recording/timeline.js';
import { shownUrl } from './redact.js';
import { mediaType, streamRules } from './stream/stream-rules.js';
import { type StreamSeen, watchStream } from './stream/watch-stream.js';

export interface ExamineOptions {
  readonly url: string;
  /** Default: `GET`. Another method is sent once, unless `twice` is asked for. */
  readonly method?: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Sends a request that is not a GET a second time, with the same `Idempotency-Key`. Default: false. */
  readonly twice?: boolean;
  /** How long the endpoint is watched, in milliseconds. */
  readonly forMs: number;
  /** The same endpoint, reached without a proxy. */
  readonly beside?: string | undefined;
  /** Stops watching a stream as soon as the cuts were tried. Default: false. */
  readonly quick?: boolean;
  /** Default: what a browser speaks, HTTP/2 where the server chooses it over TLS, else HTTP/1.1. */
  readonly protocol?: Protocol | undefined;
  /** How long one reader of a stream does not read, in milliseconds. Default: 5 s, and with `quick` it is not tried. */
  readonly unreadMs?: number;
  /** Accepts any certificate. Default: false. */
  readonly insecure?: boolean;
  /** Rules that are switched off. */
  readonly off?: readonly string[];
  readonly signal?: AbortSignal;
  /** Is told, in a sentence, what will be sent and what is seen. */
  readonly say?: (line: string) => void;
  /** Numbers from 0 to 1. */
  readonly random?: () => number;
}

/** What was looked at, and what was found. */
export interface Examination {
  readonly subject: string;
  readonly kind: 'event stream' | 'answer' | 'recording' | 'passing traffic';
  /** What was seen, in a sentence. */
  readonly summary: string;
  /** How many requests were sent. */
  readonly requests: number;
  /** The rules that were applied. */
  readonly rules: readonly string[];
  readonly findings: readonly Finding[];
  /** The requests of a recording. */
  readonly timeline?: readonly TimelineRow[];
}

/** An origin that no server can have been told of (RFC 2606). */
const FOREIGN = 'https://examine.invalid';

/** The most requests that are sent to one URL, redirects apart. */
export const MAX_REQUESTS = 12;

/**
 * Looks at one endpoint from outside. Sends GET requests only, unless told another method; that is sent once.
 * Error: a {@link Problem} if it cannot be looked at.
 */
export async function examineUrl(options: ExamineOptions): Promise<Examination> {
  const {
    url,
    method = 'GET',
    headers = {},
    body,
    forMs,
    beside,
    insecure = false,
    twice = false,
    off = [],
    quick,
    protocol,
    unreadMs = quick ? 0 : 5_000,
  } = options;
  const { signal = new AbortController().signal, say = () => {}, random = Math.random } = options;
  for (const each of [url, ...(beside ? [beside] : [])]) {
    if (!URL.canParse(each) || !/^https?:$/.test(new URL(each).protocol)) {
      throw new Problem(`Expected a URL that begins with http:// or https://, got "${shownUrl(each)}".`);
    }
  }
  const subject = shownUrl(url);
  const sends =
    method === 'GET'
      ? `at most ${MAX_REQUESTS} GET requests`
      : `${twice ? 'two equal' : 'one'} ${method} request${twice ? 's with one Idempotency-Key' : ''}, and at most six GET requests to what its answer names,`;
  say(
    `Sends ${sends} to ${subject}${beside ? ` and one to ${shownUrl(beside)}` : ''}, within about ${duration(forMs)}.`,
  );
  if (method === 'GET') say('Nothing else is sent, and nothing that changes state.');

  let requests = 0;
  const sent = () => {
    requests += 1;
  };
  const ask: Ask = {
    ...{ url, method, body, insecure, protocol, signal },
    headers: {
      ...DEFAULT_HEADERS,
      ...(twice ? { 'idempotency-key': newKey() } : {}),
      ...headers,
    },
  };
  const exchange = await open(ask, forMs, sent);
  try {
    if (Object.keys(headers).length > 0 && new URL(exchange.ask.url).origin !== new URL(url).origin) {
      say(`Redirected to ${shownUrl(exchange.ask.url)}: your headers are not sent to another origin.`);
    }
    const kind = await kindOf(exchange, Math.min(forMs, 5_000));
    const at = { ...ask, ...exchange.ask, headers: exchange.ask.headers ?? {} };
    const report = <Seen>(rules: readonly Rule<Seen>[], seen: Seen, what: Pick<Examination, 'kind' | 'summary'>) => ({
      ...{ subject, requests, ...what },
      rules: rules.map(({ id }) => id).filter((id) => !off.includes(id)),
      findings: judge(rules, seen, off),
    });
    if (kind === 'stream') {
      const seen = await watchStream(exchange, {
        forMs,
        ask: at,
        origin: FOREIGN,
        beside,
        quick,
        unreadMs,
        random,
        sent,
      });
      signal.throwIfAborted();
      const { events, comments } = seen.transcript;
      const summary = `An event stream over ${exchange.protocol}: ${count(events.length, 'event')} and ${count(comments.length, 'comment')} in ${duration(seen.watchedMs)}, ${count(seen.resumes.length, 'cut')} tried, longest silence ${duration(seen.silenceMs)}.${connectionLimit(seen)}${unreadLimit(seen)}`;
      return report(streamRules, seen, { kind: 'event stream', summary });
    }
    const seen = kind === 'none' ? { exchange, kind } : await watchAnswer(exchange, { ask: at, sent, twice, forMs });
    signal.throwIfAborted();
    const summary =
      exchange.headAt === undefined
        ? `No answer within ${duration(forMs)}.`
        : `An answer over ${exchange.protocol}: ${exchange.status}, ${mediaType(exchange.headers) || 'no type'}, after ${duration(exchange.headAt)}.`;
    return report(answerRules, seen, { kind: 'answer', summary });
  } finally {
    exchange.close();
  }
}

/** Whether a browser's limit of connections applies, where no finding says so. */
function connectionLimit({ exchange, http2 }: StreamSeen): string {
  if (!http2 || !exchange.ask.url.startsWith('https:')) return '';
  const streams = http2.maxStreams === undefined ? 'many streams' : count(http2.maxStreams, 'stream');
  return ` Browsers speak HTTP/2 to it: their limit of six connections does not apply, and one connection carries ${streams}.`;
}

/** What cannot be told of a reader that does not read. */
function unreadLimit({ unread }: StreamSeen): string {
  if (!unread?.fits || unread.closed || unread.lost > 0) return '';
  return ` What happens to a reader that does not read is unknown: in ${duration(unread.heldMs)} only ${count(unread.bytes, 'byte')} came, which fit into buffers on the way.`;
}

/** What kind of answer it is: by its type, or by its first bytes where the type is wrong. */
async function kindOf(exchange: Exchange, ms: number): Promise<'stream' | 'answer' | 'none'> {
  if (exchange.headAt === undefined) return 'none';
  if (exchange.status !== 200) {
    await exchange.until(() => exchange.endedAt !== undefined, ms);
    return 'answer';
  }
  if (mediaType(exchange.headers) === 'text/event-stream') return 'stream';
  await exchange.until(() => exchange.endedAt !== undefined || exchange.bytes >= 256, ms);
  return /^\uFEFF?(:.*\n|(data|event|id|retry):.*\n)+/.test(exchange.text.replace(/\r\n?/g, '\n'))
    ? 'stream'
    : 'answer';
}
