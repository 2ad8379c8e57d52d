/**
 * What notebook 02 teaches and later notebooks use again. Each region is the cell of that notebook with the
 * same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type fetch from 'node-fetch';
import type { BodyInit, Headers } from 'node-fetch';

// The notebook: 02-a-job-and-its-id.ipynb

// #region answer
export type Client = typeof fetch;

export interface Answer {
  status: number;
  headers: Headers;
  text: string; // the whole body
}

export class Refusal extends Error {
  constructor(readonly answer: Answer) {
    super(`${answer.status}: ${answer.text.slice(0, 1_000)}`); // the server's message
  }
}

export function jsonOf<T>(answer: Answer): T {
  const type = answer.headers.get('Content-Type') ?? 'no type';
  if (/[/+]json\b/.test(type)) return JSON.parse(answer.text) as T;
  throw new Error(`Expected JSON, got ${type}: is that a page from a proxy? ${answer.text.slice(0, 200)}`);
}
// #endregion

// #region send-once
export interface Sending {
  method?: string;
  headers?: Record<string, string>;
  body?: BodyInit;
  timeoutMs?: number; // for the answer and its body, in milliseconds
  signal?: AbortSignal | undefined; // the caller's
}

export async function sendOnce(client: Client, to: string, sending: Sending = {}): Promise<Answer> {
  const { timeoutMs = 10_000, signal, ...request } = sending;
  signal?.throwIfAborted();
  const either = new AbortController(); // the time-out or the caller (some versions of Node leak memory in AbortSignal.any)
  const stop = () => either.abort();
  const timer = setTimeout(stop, timeoutMs);
  signal?.addEventListener('abort', stop);
  try {
    const response = await client(to, { ...request, signal: either.signal });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    signal?.throwIfAborted();
    throw either.signal.aborted ? new Error(`No answer within ${timeoutMs} ms.`, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
// #endregion

// #region retry-after
// Returns milliseconds, between 100 and one day: past 24 days, a timer would fire immediately.
export function retryAfterMs(headers: Pick<Headers, 'get'>, defaultMs = 1_000): number {
  const value = headers.get('Retry-After') ?? '';
  const isDate = /^[A-Z][a-z]+,? /.test(value); // it begins with a weekday, and one form leaves out GMT
  const untilMs = isDate ? Date.parse(value.replace(/( GMT)?$/, ' GMT')) - Date.now() : Number.NaN;
  const ms = /^\d+$/.test(value) ? 1_000 * Number(value) : untilMs;
  return Number.isNaN(ms) ? defaultMs : Math.min(Math.max(ms, 100), 86_400_000);
}
// #endregion

// #region retry
export const NOT_NOW = [429, 502, 503, 504];

// Only for requests that are safe to repeat (GET, PUT, DELETE, or a POST with a key), and only with a
// body that can be sent twice: a text or a buffer, not a stream.
export async function sendWithRetries(
  client: Client,
  to: string,
  { tries = 6, ...sending }: Sending & { tries?: number } = {},
): Promise<Answer> {
  for (let failures = 1; ; failures++) {
    const answer = await sendOnce(client, to, sending).catch((error: Error) => error);
    sending.signal?.throwIfAborted(); // the caller stopped it: that is no failure
    const broken = answer instanceof Error;
    if (!broken && answer.status < 400) return answer;
    const final = !broken && !NOT_NOW.includes(answer.status);
    if (final || failures === tries) throw broken ? answer : new Refusal(answer);
    const backOffMs = Math.min(100 * 2 ** failures, 30_000);
    const pauseMs = broken ? backOffMs : retryAfterMs(answer.headers, backOffMs);
    await sleep(pauseMs * (1 + Math.random() / 2), undefined, { signal: sending.signal });
  }
}
// #endregion
