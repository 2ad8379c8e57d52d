/**
 * What notebook 04 teaches and later notebooks use again. Each region is the cell of that notebook with the
 * same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../instruments/job.js';
import type { Client } from './short-polling.js';

// The notebook: 04-long-polling.ipynb

// #region long-poll
export async function longPoll<T>(
  client: Client,
  resultUrl: string,
  waitS: number,
  signal = AbortSignal.timeout(60_000),
): Promise<T> {
  const headers = { Prefer: `wait=${waitS}` };
  for (;;) {
    const response = await client(resultUrl, { headers, signal });
    if (response.status === 200) return (await response.json()) as T;
    if (response.status !== 202) throw new Error(await response.text());
    await response.text(); // read to its end, so that the next request may use the connection
    if (response.headers.has('Preference-Applied')) continue; // the server has waited
    const seconds = Number(response.headers.get('Retry-After')) || 1;
    await sleep(1_000 * seconds, undefined, { signal });
  }
}
// #endregion

// #region changes
export async function* changes(
  client: Client,
  jobUrl: string,
  waitS: number,
  etag = '', // of the version that the client has already
  signal = AbortSignal.timeout(60_000),
): AsyncGenerator<Job, void> {
  for (;;) {
    const known: Record<string, string> = etag ? { 'If-None-Match': etag } : {};
    const response = await client(jobUrl, { headers: { Prefer: `wait=${waitS}`, ...known }, signal });
    if (response.status === 304) continue; // no change in all that time
    if (!response.ok) throw new Error(await response.text());
    etag = response.headers.get('ETag') ?? '';
    const job = (await response.json()) as Job;
    yield job;
    if (job.finishedAt) return;
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

export async function* consume(
  client: Client,
  eventsUrl: string,
  { min = 1, waitS = 30, after = '', signal = AbortSignal.timeout(60_000) } = {},
): AsyncGenerator<LoggedEvent[], void> {
  const headers = { Accept: 'application/json', Prefer: `wait=${waitS}` };
  for (let cursor = after; ; ) {
    const query = new URLSearchParams({ min: String(min), ...(cursor && { after: cursor }) });
    const response = await client(`${eventsUrl}?${query}`, { headers, signal });
    if (!response.ok) throw new Error(await response.text());
    const { events, next } = (await response.json()) as { events: LoggedEvent[]; next: string };
    yield events;
    cursor = next;
    if (events.some(({ event }) => ['succeeded', 'failed', 'cancelled'].includes(event))) return;
  }
}
// #endregion
