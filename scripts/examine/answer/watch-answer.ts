import { randomUUID } from 'node:crypto';
import { type Ask, Exchange } from '../exchange.js';

/** How long an answer is asked to wait for news, in seconds (RFC 7240, section 4.3). */
export const WAIT_S = 2;
/** The longest wait for any other answer, in milliseconds. */
const ANSWER_MS = 10_000;

/** The least time that the body of the first answer gets after its head, in milliseconds. */
const LEAST_MS = 1_000;

/** What was seen of an endpoint that is no event stream. What was not asked for is undefined. */
export interface AnswerSeen {
  readonly exchange: Exchange;
  /** `none`: no answer came in time. */
  readonly kind: 'answer' | 'none';
  /** What a submit led to: the answer at its `Location`, at once. */
  readonly job?: Exchange | undefined;
  /** A second submit with the `Idempotency-Key` of the first. */
  readonly second?: Exchange | undefined;
  /** The answer that is polled: `job`, or the first one. */
  readonly polled?: Exchange | undefined;
  /** The same, asked again. */
  readonly again?: Exchange | undefined;
  /** The same with `If-None-Match`. */
  readonly conditional?: Exchange | undefined;
  /** The same with `Prefer: wait`, and with `If-None-Match` where there is an `ETag`. */
  readonly waited?: Exchange | undefined;
  /** What is not there. */
  readonly missing?: Exchange | undefined;
}

export interface WatchAnswerOptions {
  readonly ask: Ask;
  readonly sent: (exchange: Exchange) => void;
  /** Sends the request a second time, with the same `Idempotency-Key`. */
  readonly twice: boolean;
  /** How long to wait for the end of the first answer, in milliseconds. */
  readonly forMs: number;
}

/** The key of a submit that is sent twice. */
export const newKey = () => `examine-${randomUUID()}`;

/**
 * Asks for an answer in four ways, one after the other. An answer that is not complete is not asked for again. With the job
 * and a second submit, at most six requests; all but that submit are GET.
 */
export async function watchAnswer(exchange: Exchange, options: WatchAnswerOptions): Promise<AnswerSeen> {
  const { ask, sent, twice, forMs } = options;
  const send = async (change: Partial<Ask>, ms = ANSWER_MS) => {
    const each = new Exchange({ ...ask, ...change });
    sent(each);
    await each.until(() => each.endedAt !== undefined, ms);
    each.close();
    return each;
  };
  await exchange.until(() => exchange.endedAt !== undefined, Math.max(forMs - exchange.now, LEAST_MS));
  const seen = { exchange, kind: 'answer' as const };
  if (exchange.endedAt === undefined || exchange.ending === 'cut') return seen;
  const { status, headers } = exchange;
  const { 'idempotency-key': _key, 'content-type': _type, ...others } = ask.headers ?? {};
  const get = { method: 'GET', body: undefined, headers: others };
  let polled = exchange;
  let job: Exchange | undefined;
  let second: Exchange | undefined;
  if ((ask.method ?? 'GET') !== 'GET') {
    const { location } = headers;
    const to = location !== undefined && URL.canParse(location, ask.url) ? new URL(location, ask.url) : undefined;
    // Credentials are meant for the origin that was named.
    if (to && to.origin === new URL(ask.url).origin) job = await send({ ...get, url: to.href });
    if (twice) second = await send({});
    if (!job) return { ...seen, second };
    polled = job;
  }
  if (polled.status >= 400 || /html/i.test(polled.headers['content-type'] ?? '') || status === 204) {
    return { ...seen, job, second };
  }
  const { url } = polled.ask;
  const etag = polled.headers.etag;
  const match = etag === undefined ? {} : { 'if-none-match': etag };
  const again = await send({ ...get, url });
  const conditional = etag === undefined ? undefined : await send({ ...get, url, headers: { ...others, ...match } });
  const prefer = { ...others, ...match, prefer: `wait=${WAIT_S}` };
  const waited = await send({ ...get, url, headers: prefer }, ANSWER_MS + 1_000 * WAIT_S);
  const none = new URL(url);
  none.pathname = `${none.pathname.replace(/\/$/, '')}/examine-${randomUUID()}`;
  const missing = await send({ ...get, url: none.href });
  return { ...seen, job, second, polled, again, conditional, waited, missing };
}
