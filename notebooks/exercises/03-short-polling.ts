import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import fetch, { Response } from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { experiment } from '../instruments/experiment.js';
import type { Job } from '../instruments/job.js';
import { ledger } from '../instruments/ledger.js';
import { type Answer, jsonOf, retryAfterMs, sendWithRetries } from '../lessons/a-job-and-its-id.js';

const FILE = 'notebooks/exercises/03-short-polling.ts';

type Client = typeof fetch;
type Loop = (client: Client, jobUrl: string, intervalMs: number) => Promise<Job>;
type Delay = (poll: number, answer: Pick<Answer, 'headers'>) => number;

/** 1. A loop that sends If-None-Match. The job has few versions and many polls: most of them bring nothing new. */
export const conditional = exercise<Loop>({
  id: '03-short-polling/1-conditional',
  async check(loop) {
    const { url } = server();
    const headers = { 'Content-Type': 'application/json' };
    const body = JSON.stringify({ kind: 'simulated', durationMs: 900, steps: 2 });
    const submitted = await fetch(`${url}/jobs`, { method: 'POST', headers, body });
    const job = (await submitted.json()) as Job;
    const run = experiment('exercise: conditional polls', fetch);
    const done = await loop(run.fetch, url + job.links.self, 30);
    assert.ok(done?.finishedAt, `Expected the finished job, got ${JSON.stringify(done) ?? 'nothing'}.`);
    const polls = (await ledger(run)).requests;
    assert.ok(polls.length > 2, `Expected polls through the client it was given, got ${polls.length}.`);
    const unchanged = polls.filter(({ status }) => status === 304).length;
    const whole = polls.length - unchanged;
    assert.ok(unchanged > 0, `All ${whole} polls were answered in full: the server never saw If-None-Match.`);
    // Versions of this job: as submitted, started, two steps, the end.
    assert.ok(whole <= 5, `${whole} answers were whole, and the job has 5 versions: send the newest ETag.`);
    return `${unchanged} of ${polls.length} polls were answered by 304.`;
  },
  hint: 'Keep the ETag of the last answer in a variable outside the loop, empty at first. Send it in If-None-Match once you have one, and look at the status before you read the body.',
  solution: { file: FILE, region: 'conditional' },
});

/** The solution that is shown, and that a test runs. */
// #region conditional
export const myLoop: Loop = async (client, jobUrl, intervalMs) => {
  for (let etag = ''; ; await sleep(intervalMs)) {
    const headers: Record<string, string> = etag ? { 'If-None-Match': etag } : {};
    const answer = await sendWithRetries(client, jobUrl, { headers });
    etag = answer.headers.get('ETag') ?? '';
    if (answer.status === 304) continue;
    const job = jsonOf<Job>(answer);
    if (job.finishedAt) return job;
  }
};
// #endregion

/** 2. A delay that obeys Retry-After and adds jitter. */
export const polite = exercise<Delay>({
  id: '03-short-polling/2-polite',
  check(delay) {
    const date = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 5_000);
    const cases = [
      { told: 'Retry-After: 2', header: '2', least: () => 2_000 },
      { told: 'no Retry-After', header: null, least: () => 1_000 },
      { told: 'Retry-After: soon', header: 'soon', least: () => 1_000 },
      {
        told: `Retry-After: ${date.toUTCString()}`,
        header: date.toUTCString(),
        least: () => date.getTime() - Date.now(),
      },
    ];
    for (const { told, header, least } of cases) {
      const response = () => new Response('', header === null ? {} : { headers: { 'Retry-After': header } });
      const before = least();
      const delays = Array.from({ length: 200 }, (_, poll) => delay(poll, response()));
      const odd = delays.find((ms) => !Number.isFinite(ms));
      assert.equal(odd, undefined, `For ${told} it returned ${odd}: expected milliseconds.`);
      const early = delays.find((ms) => ms < least());
      assert.equal(early, undefined, `For ${told} it returned ${early} ms: that is too early.`);
      const longest = Math.max(...delays);
      assert.ok(longest <= 1.25 * before + 1, `For ${told} it returned ${longest} ms: that adds more than 25 %.`);
      const spread = longest - Math.min(...delays);
      assert.ok(spread > 0.1 * before, `For ${told} its delays are all alike: clients would stay in step.`);
    }
    return 'Never early, and never all at the same time.';
  },
  hint: 'Begin with the time that the server asked for, in milliseconds, as `asTold` does: `retryAfterMs(headers)` reads both forms. Then multiply by a number between 1 and 1.25.',
  solution: { file: FILE, region: 'polite' },
});

// #region polite
export const myDelay: Delay = (_poll, { headers }) => retryAfterMs(headers) * (1 + Math.random() / 4);
// #endregion
