/**
 * What notebook 04 teaches and later notebooks use again. Each region is the cell of that notebook with the
 * same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../instruments/job.js';
import { jsonOf, Refusal, retryAfterMs, sendWithRetries } from './a-job-and-its-id.js';
import type { Client } from './short-polling.js';

// The notebook: 04-long-polling.ipynb

// #region long-poll
export async function longPoll<T>(client: Client, resultUrl: string, waitS: number, signal?: AbortSignal): Promise<T> {
  const request = { headers: { Prefer: `wait=${waitS}` }, timeoutMs: 1_000 * (waitS + 10), signal };
  for (;;) {
    const answer = await sendWithRetries(client, resultUrl, request);
    if (answer.status === 200) return jsonOf<T>(answer);
    if (answer.status !== 202) throw new Refusal(answer);
    const waited = answer.headers.has('Preference-Applied');
    if (!waited) await sleep(retryAfterMs(answer.headers), undefined, { signal });
  }
}
// #endregion

// #region changes
export async function* changes(
  client: Client,
  jobUrl: string,
  waitS: number,
  etag = '', // of the version that the client has already
  signal?: AbortSignal,
): AsyncGenerator<Job, void> {
  for (;;) {
    const known: Record<string, string> = etag ? { 'If-None-Match': etag } : {};
    const request = { headers: { Prefer: `wait=${waitS}`, ...known }, timeoutMs: 1_000 * (waitS + 10), signal };
    const answer = await sendWithRetries(client, jobUrl, request);
    const newest = answer.headers.get('ETag') ?? '';
    const hasMoved = newest !== '' && newest !== etag;
    etag = newest;
    if (answer.status === 200) {
      const job = jsonOf<Job>(answer);
      yield job;
      if (job.finishedAt) return;
    } else if (answer.status !== 304) throw new Refusal(answer);
    const waited = answer.headers.has('Preference-Applied');
    if (!hasMoved && !waited) await sleep(retryAfterMs(answer.headers), undefined, { signal });
  }
}
// #endregion

// #region consume
export interface LoggedEvent {
  id: string;
  event: 'queued' | 'started' | 'progress' | 'succeeded' | 'failed' | 'cancelled';
  data: { jobId: string; progress: number; version: number };
  at: string;
}
export type Batch = { events: LoggedEvent[]; next: string };
export type Consuming = { min?: number; waitS?: number; after?: string; signal?: AbortSignal };

export async function* consume(
  client: Client,
  eventsUrl: string,
  how: Consuming = {},
): AsyncGenerator<LoggedEvent[], void> {
  const { min = 1, waitS = 25, after = '', signal } = how;
  const headers = { Accept: 'application/json', Prefer: `wait=${waitS}` };
  for (let cursor = after; ; ) {
    const query = new URLSearchParams({ min: String(min), ...(cursor && { after: cursor }) });
    const request = { headers, timeoutMs: 1_000 * (waitS + 10), signal };
    const answer = await sendWithRetries(client, `${eventsUrl}?${query}`, request);
    const { events, next } = jsonOf<Batch>(answer);
    yield events;
    cursor = next;
    if (events.some(({ event }) => ['succeeded', 'failed', 'cancelled'].includes(event))) return;
    const waited = answer.headers.has('Preference-Applied');
    if (!waited) await sleep(retryAfterMs(answer.headers), undefined, { signal });
  }
}
// #endregion
