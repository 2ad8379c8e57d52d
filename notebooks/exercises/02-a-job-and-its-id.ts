import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fetch, { Response } from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { experiment, type SentRequest } from '../instruments/experiment.js';
import type { Job } from '../instruments/job.js';
import { jsonOf, Refusal, retryAfterMs, sendOnce, sendWithRetries } from '../lessons/a-job-and-its-id.js';

const FILE = 'notebooks/exercises/02-a-job-and-its-id.ts';

type Client = typeof fetch;
type Way = (client: Client, server: string, task: object) => Promise<unknown>;
type Once = (client: Client, jobsUrl: string, task: object) => Promise<Job>;

const told = (value: unknown) => JSON.stringify(value) ?? 'nothing';

/** 1. The four steps, and what may go wrong in them. */
export const wholeWay = exercise<Way>({
  id: '02-a-job-and-its-id/1-whole-way',
  async check(way) {
    const { url } = server();
    const going = async (task: object, line = (client: Client) => client) => {
      const run = experiment('exercise: the whole way', fetch);
      const outcome = await way(line(run.fetch), url, task).then(
        (result) => ({ result }),
        (error: Error) => error,
      );
      return { outcome, rows: run.rows };
    };

    const well = await going({ kind: 'simulated', durationMs: 500, steps: 2 });
    if (well.outcome instanceof Error) assert.fail(`The job succeeded, but your client threw: ${well.outcome.message}`);
    const expected = { steps: 2, durationMs: 500 };
    assert.deepEqual(
      well.outcome.result,
      expected,
      `Expected the result, ${told(expected)}, got ${told(well.outcome.result)}.`,
    );
    const waited = well.rows.filter(({ technique }) => technique !== 'short-poll' && technique !== 'submit');
    assert.ok(
      waited.length < 3,
      `It asked for the result ${waited.length} times: ask for the job until it has ended, then once for the result.`,
    );
    // The server said a second; timers may be a little early.
    const early = pauses(well.rows).find((ms) => ms < 950);
    assert.equal(early, undefined, `It asked again after ${early?.toFixed(0)} ms, and Retry-After said a second.`);

    const badly = await going({ kind: 'simulated', durationMs: 50, steps: 5, failAtStep: 2 });
    assert.ok(
      badly.outcome instanceof Error,
      `The job failed, and your client returned ${told(badly.outcome)}: expected it to throw.`,
    );
    const why = 'step 2';
    assert.ok(
      badly.outcome.message.includes(why),
      `The job failed, and your client threw "${badly.outcome.message}": expected the reason.`,
    );

    const refused = await going({ kind: 'magic' });
    assert.ok(
      refused.outcome instanceof Error,
      'The task was refused (400), and your client returned as if all were well.',
    );
    assert.equal(
      refused.rows.length,
      1,
      `The task was refused, and your client sent ${refused.rows.length} requests: 1 was enough.`,
    );
    const words = 'expected kind';
    assert.ok(
      refused.outcome.message.includes(words),
      `For a task that was refused, it threw "${refused.outcome.message}": expected the reason.`,
    );
    const untold = await going({ kind: 'simulated', durationMs: 300, steps: 2 }, withoutRetryAfter);
    if (untold.outcome instanceof Error) assert.fail(`Without Retry-After it threw: ${untold.outcome.message}`);
    const soonest = Math.min(...pauses(untold.rows));
    const again = `Without Retry-After it asked again after ${soonest.toFixed(0)} ms`;
    assert.ok(soonest >= 30, `${again}: a missing header does not mean 0.`);

    const broken = await going({ kind: 'simulated', durationMs: 50, steps: 2 }, withoutResult);
    const none = 'The request for the result got a 404, and your client returned its body: expected it to throw.';
    assert.ok(broken.outcome instanceof Error, none);
    return 'All four steps, and every failure was reported.';
  },
  hint: 'Three requests in order: POST, then GET links.self until finishedAt is set (before each, sleep for the Retry-After of the last answer: the 202 has one, too), then GET links.result. Look at each status before you use the body; the body of an error and job.error both have a `detail`. `retryAfterMs` has a default for an answer without Retry-After.',
  solution: { file: FILE, region: 'whole-way' },
});

/** The solution that is shown, and that a test runs. */
// #region whole-way
export const myWay: Way = async (client, server, task) => {
  const headers = { 'Content-Type': 'application/json' };
  let answer = await sendOnce(client, `${server}/jobs`, { method: 'POST', headers, body: JSON.stringify(task) });
  if (answer.status !== 202) throw new Refusal(answer);
  let job = jsonOf<Job>(answer);
  while (!job.finishedAt) {
    await sleep(retryAfterMs(answer.headers)); // the 202 has a Retry-After, too
    answer = await sendWithRetries(client, server + job.links.self);
    job = jsonOf<Job>(answer);
  }
  if (job.state !== 'succeeded') throw new Error(job.error?.detail ?? `The job was ${job.state}.`);
  const result = await sendWithRetries(client, server + job.links.result);
  if (result.status !== 200) throw new Refusal(result);
  return jsonOf(result);
};
// #endregion

/** For how long a client paused before each request for a job, in milliseconds. */
function pauses(rows: SentRequest[]): number[] {
  const asked = rows.filter(({ technique }) => technique === 'submit' || technique === 'short-poll');
  return asked.slice(1).map(({ sentAt }, i) => sentAt - asked[i]!.answeredAt!);
}

/** A connection on which Retry-After is lost. */
const withoutRetryAfter = (client: Client): Client =>
  (async (to, init) => {
    const response = await client(to, init);
    const headers = [...response.headers].filter(([name]) => name !== 'retry-after');
    return new Response(await response.text(), { status: response.status, headers });
  }) as Client;

/** A connection on which each request for the result gets a 404. */
const withoutResult = (client: Client): Client =>
  (async (to, init) => {
    const response = await client(to, init);
    if (!String(to).endsWith('/result')) return response;
    await response.text();
    const headers = { 'Content-Type': 'application/problem+json' };
    return new Response('{"detail":"There is no such job."}', { status: 404, headers });
  }) as Client;

/** 2. A submit that may be repeated. */
export const submitOnce = exercise<Once>({
  id: '02-a-job-and-its-id/2-submit-once',
  async check(submit) {
    const jobsUrl = `${server().url}/jobs`;
    const manual = { kind: 'manual' };
    const jobs: string[] = [];
    try {
      const bumpy = losing(4);
      const job = await submit(bumpy.client, jobsUrl, manual).catch((error: Error) => {
        throw new Error(`With 4 answers lost, the fifth try gets an answer, but your submit threw: ${error.message}`);
      });
      jobs.push(...bumpy.made);
      assert.ok(job?.jobId, `Expected the job, got ${told(job)}.`);
      const made = new Set(bumpy.made).size;
      assert.equal(
        made,
        1,
        `4 answers were lost, and it made ${made} jobs for one intent: send the same key with each try.`,
      );
      assert.equal(bumpy.made[0], job.links.self, 'The job that it returned is not the one that was made.');

      const next = losing(0);
      await submit(next.client, jobsUrl, manual);
      jobs.push(...next.made);
      assert.ok(!bumpy.made.includes(next.made[0]!), 'Two calls made one job: make a key for each call.');

      const dead = losing(Number.POSITIVE_INFINITY);
      const gaveUp = await submit(dead.client, jobsUrl, manual).then(
        () => false,
        () => true,
      );
      jobs.push(...dead.made);
      assert.ok(gaveUp, 'No answer ever came, and it returned as if all were well: expected it to throw.');
      assert.equal(dead.made.length, 5, `No answer ever came: expected 5 tries, got ${dead.made.length}.`);

      const refusing = losing(0);
      const refused = await submit(refusing.client, jobsUrl, { kind: 'magic' }).then(
        () => false,
        () => true,
      );
      assert.ok(refused, 'The task was refused (400), and it returned as if all were well: expected it to throw.');
      assert.equal(refusing.made.length, 1, `A refusal is an answer, so expected 1 try, got ${refusing.made.length}.`);
      const soonest = Math.min(...dead.pauses);
      assert.ok(
        soonest >= 50,
        `It tried again after ${soonest.toFixed(0)} ms: pause before each new try, longer each time.`,
      );
      return '4 answers lost, 1 job made.';
    } finally {
      // A manual job never ends by itself.
      const there = [...new Set(jobs)].filter((path) => path.startsWith('/jobs/'));
      await Promise.all(there.map((path) => fetch(server().url + path, { method: 'DELETE' }).then((r) => r.text())));
    }
  },
  hint: 'Make the key with randomUUID(), once, before the first try. `sendWithRetries` does the rest; or write the loop yourself, with a pause that grows between two tries, and with nothing but the request in try … catch.',
  solution: { file: FILE, region: 'submit-once' },
});

/** A client whose first answers are lost: the server has handled each request, and the client gets an error. */
function losing(lost: number) {
  const made: string[] = [];
  const pauses: number[] = []; // from each error to the next try
  let failedAt: number | undefined;
  const run = experiment('exercise: once, and only once', fetch);
  const client = (async (to, init) => {
    // A loop that never ends must not keep everything else from running, nor fill the server.
    if (made.length >= 20) throw new Error('20 tries: that is enough.');
    if (failedAt !== undefined) pauses.push(performance.now() - failedAt);
    const response = await run.fetch(to, init);
    made.push(response.headers.get('location') ?? `refused: ${response.status}`);
    if (made.length > lost) return response;
    await response.text();
    failedAt = performance.now();
    throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  }) as Client;
  return { client, made, pauses };
}

// #region submit-once
export const myOnce: Once = async (client, jobsUrl, task) => {
  const key = `"${randomUUID()}"`; // one for the intent, sent with every try
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
  const request = { method: 'POST', headers, body: JSON.stringify(task), tries: 5 };
  const answer = await sendWithRetries(client, jobsUrl, request);
  if (answer.status !== 202) throw new Refusal(answer);
  return jsonOf<Job>(answer);
};
// #endregion
