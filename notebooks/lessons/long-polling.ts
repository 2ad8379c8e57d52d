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
    const began = performance.now();
    const answer = await sendWithRetries(client, resultUrl, request);
    if (answer.status === 200) return jsonOf<T>(answer);
    if (answer.status !== 202) throw new Refusal(answer);
    const waited = answer.headers.has('Preference-Applied') && performance.now() - began > 900;
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
  for (let named = etag; ; ) {
    const known: Record<string, string> = named ? { 'If-None-Match': named } : {}; // '' asks for the whole job
    const request = { headers: { Prefer: `wait=${waitS}`, ...known }, timeoutMs: 1_000 * (waitS + 10), signal };
    const began = performance.now();
    const answer = await sendWithRetries(client, jobUrl, request);
    const newest = answer.headers.get('ETag') ?? ''; // the version of this answer
    const hasMoved = newest !== '' && newest !== etag;
    if (answer.status === 200) {
      const job = jsonOf<Job>(answer);
      if (hasMoved || newest === '') yield job;
      if (job.finishedAt) return;
    } else if (answer.status !== 304) throw new Refusal(answer);
    etag = newest;
    const mayHaveEnded = answer.status === 304 && !answer.headers.has('Retry-After'); // unfinished jobs have it
    named = mayHaveEnded ? '' : etag; // without a version, the whole job comes immediately
    const waited = answer.headers.has('Preference-Applied') && performance.now() - began > 900;
    if (!hasMoved && !waited) await sleep(retryAfterMs(answer.headers), undefined, { signal });
  }
}
// #endregion

// #region consume-types
// What `consume` takes and reads, and the two cases that such a loop easily forgets.
export interface LoggedEvent {
  id: string;
  event: 'queued' | 'started' | 'progress' | 'succeeded' | 'failed' | 'cancelled';
  data: { jobId: string; progress: number; version: number };
  at: string;
}
export type Gap = { oldest: string | null }; // the oldest event past the cursor that the server still has
export type Batch = { events: LoggedEvent[]; next: string; gap?: Gap };

export interface Consuming {
  min?: number; // the number of events that are worth an answer; 1 by default
  waitS?: number; // how long the server may hold each request, in seconds; 25 by default
  after?: string; // the cursor to go on from; by default, the log's beginning
  signal?: AbortSignal; // the caller's
  onGap?: (gap: Gap) => void; // told that events are lost; by default, that is an error
}

function refuseGap({ oldest }: Gap): void {
  throw new Error(`Events are lost. The oldest that the server still has: ${oldest ?? 'none'}.`);
}

// Asks for the stream of the events past a cursor. It is 204 if none can follow, because the job has ended.
export async function isPastEnd(client: Client, eventsUrl: string, cursor: string, signal?: AbortSignal) {
  const request = { method: 'HEAD', headers: { Accept: 'text/event-stream' }, signal };
  const url = `${eventsUrl}?${new URLSearchParams({ after: cursor })}`;
  return (await sendWithRetries(client, url, request)).status === 204;
}
// #endregion

// #region consume
// The events of one job, to its end.
export async function* consume(
  client: Client,
  eventsUrl: string,
  how: Consuming = {},
): AsyncGenerator<LoggedEvent[], void> {
  const { min = 1, waitS = 25, after = '', signal, onGap = refuseGap } = how;
  const headers = { Accept: 'application/json', Prefer: `wait=${waitS}` };
  for (let [cursor, mayBePast] = [after, after !== '']; ; ) {
    const query = new URLSearchParams({ min: String(min), ...(cursor && { after: cursor }) });
    const request = { headers, timeoutMs: 1_000 * (waitS + 10), signal };
    const began = performance.now();
    const answer = await sendWithRetries(client, `${eventsUrl}?${query}`, request);
    const { events, next, gap } = jsonOf<Batch>(answer);
    if (gap) onGap(gap);
    yield events;
    cursor = next;
    if (events.some(({ event }) => ['succeeded', 'failed', 'cancelled'].includes(event))) return;
    mayBePast = events.length === 0 && (mayBePast || gap !== undefined); // no event has come since `after` or a gap
    if (mayBePast && (await isPastEnd(client, eventsUrl, cursor, signal))) return;
    const waited = answer.headers.has('Preference-Applied') && (events.length > 0 || performance.now() - began > 900);
    if (!waited) await sleep(retryAfterMs(answer.headers), undefined, { signal });
  }
}
// #endregion
