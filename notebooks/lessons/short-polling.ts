/**
 * What notebook 03 teaches and later notebooks use again. Each region is the cell of that notebook with the
 * same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type fetch from 'node-fetch';
import type { Job } from '../instruments/job.js';

// The notebook: 03-short-polling.ipynb

// #region upload
export type Client = typeof fetch;

export async function upload(client: Client, jobsUrl: string, path: string): Promise<Job> {
  const headers = { 'Content-Type': 'video/mp4' };
  const response = await client(jobsUrl, { method: 'POST', headers, body: createReadStream(path) });
  if (response.status !== 202) throw new Error(await response.text());
  return (await response.json()) as Job;
}
// #endregion

// #region poll-until-done
export async function pollUntilDone(
  client: Client,
  jobUrl: string,
  intervalMs: number,
  signal = AbortSignal.timeout(60_000),
): Promise<Job> {
  for (;;) {
    const response = await client(jobUrl, { signal });
    if (!response.ok) throw new Error(await response.text());
    const job = (await response.json()) as Job;
    if (job.finishedAt) return job;
    await sleep(intervalMs, undefined, { signal });
  }
}
// #endregion

// #region simulate
export async function simulate(client: Client, jobsUrl: string, durationMs: number): Promise<Job> {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ kind: 'simulated', durationMs, steps: 4 });
  const response = await client(jobsUrl, { method: 'POST', headers, body });
  return (await response.json()) as Job;
}
// #endregion
