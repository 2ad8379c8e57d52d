/**
 * What notebook 03 teaches and later notebooks use again. Each region is the cell of that notebook with the
 * same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type fetch from 'node-fetch';
import type { Job } from '../instruments/job.js';
import { jsonOf, Refusal, sendOnce, sendWithRetries } from './a-job-and-its-id.js';

// The notebook: 03-short-polling.ipynb

// #region upload
export type Client = typeof fetch;

export async function upload(client: Client, jobsUrl: string, path: string, signal?: AbortSignal): Promise<Job> {
  const file = { method: 'POST', headers: { 'Content-Type': 'video/mp4' }, body: createReadStream(path) };
  const answer = await sendOnce(client, jobsUrl, { ...file, timeoutMs: 600_000, signal });
  if (answer.status !== 202) throw new Refusal(answer);
  return jsonOf<Job>(answer);
}
// #endregion

// #region poll-until-done
export async function pollUntilDone(
  client: Client,
  jobUrl: string,
  intervalMs: number,
  signal?: AbortSignal,
): Promise<Job> {
  for (;;) {
    const job = jsonOf<Job>(await sendWithRetries(client, jobUrl, { signal }));
    if (job.finishedAt) return job;
    await sleep(intervalMs, undefined, { signal });
  }
}
// #endregion
