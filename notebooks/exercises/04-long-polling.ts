import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import fetch, { Response } from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { experiment } from '../instruments/experiment.js';
import type { Job } from '../instruments/job.js';
import { number } from '../instruments/table.js';
import { jsonOf, NOT_NOW, Refusal, retryAfterMs, sendOnce } from '../lessons/a-job-and-its-id.js';
import { type Batch, isPastEnd } from '../lessons/long-polling.js';

const FILE = 'notebooks/exercises/04-long-polling.ts';

type Client = typeof fetch;
type Wait = (client: Client, resultUrl: string, waitS: number) => Promise<unknown>;
type Saved = { cursor: string };
type LoggedEvent = { id: string; event: string };
type Handle = (event: LoggedEvent) => Promise<void>;
type Consumer = (client: Client, eventsUrl: string, saved: Saved, handle: Handle) => Promise<void>;

async function submit(task: object): Promise<Job> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${server().url}/jobs`, { method: 'POST', headers, body: JSON.stringify(task) });
  return (await response.json()) as Job;
}

async function finish({ links }: Job): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  await fetch(`${server().url}${links.self}/finish`, { method: 'POST', headers, body: '{ "result": "done" }' });
}

/** How long a check waits for an answer that may never come, in milliseconds. */
const PATIENCE_MS = 15_000;

async function inTime<T>(work: Promise<T>, otherwise: string): Promise<T> {
  const over = new AbortController();
  const late = sleep(PATIENCE_MS, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(otherwise)),
    () => new Promise<never>(() => {}),
  );
  return Promise.race([work, late]).finally(() => over.abort());
}

/** 1. A long poll that survives cut connections, up to a bound. */
export const persistent = exercise<Wait>({
  id: '04-long-polling/1-persistent',
  async check(wait) {
    const { url } = server();
    const task = { kind: 'simulated', durationMs: 3_500, steps: 2 };
    const job = await submit(task);
    // Two cuts, an answer, two cuts, an answer: never three in a row.
    const bumpy = cutting([1, 2, 4, 5]);
    const result = await inTime(
      wait(bumpy.client, url + job.links.result, 1),
      `It did not finish within ${PATIENCE_MS / 1_000} s.`,
    ).catch((error: Error) => {
      throw new Error(`After ${bumpy.cuts()} cuts, never three in a row, it threw: ${error.message}`);
    });
    assert.deepEqual(
      result,
      { steps: 2, durationMs: 3_500 },
      `Expected the result, got ${JSON.stringify(result) ?? 'nothing'}.`,
    );
    assert.ok(bumpy.waited(), 'Your requests had no "Prefer: wait": that is a short poll.');

    const dead = cutting('all');
    const gaveUp = await inTime(
      wait(dead.client, url + job.links.result, 1).then(no, yes),
      'With every connection cut it went on asking: count the cuts in a row.',
    );
    assert.ok(gaveUp, 'With every connection cut it returned: expected it to throw.');
    assert.equal(dead.cuts(), 3, `With every connection cut it asked ${dead.cuts()} times: expected 3.`);

    const missing = cutting([]);
    const accepted = await inTime(
      wait(missing.client, `${url}/jobs/no-such-job/result`, 1).then(yes, no),
      'After a 404 it went on asking.',
    );
    assert.ok(!accepted, 'There is no such job (404), and it returned: expected it to throw.');
    assert.equal(missing.asked(), 1, `A 404 is an answer, not a cut: expected 1 request, got ${missing.asked()}.`);
    const soonest = Math.min(...dead.pauses);
    assert.ok(soonest >= 50, `After a cut it asked again within ${soonest.toFixed(0)} ms: back off, more each time.`);

    const busy = cutting([1, 2], { fail: () => new Response('The server is busy.', { status: 503 }) });
    await inTime(wait(busy.client, url + job.links.result, 1), 'After two 503 answers it did not finish.').catch(
      (error: Error) => {
        throw new Error(`A 503 counts as a cut. After ${busy.cuts()}, it threw: ${error.message}`);
      },
    );
    await staysCalm((client, { links }) => wait(client, url + links.result, 1));
    return `${bumpy.cuts()} cuts survived, and it gave up after ${dead.cuts()} in a row.`;
  },
  hint: 'Let only the request itself be caught, not your own throw for a bad status: `await sendOnce(…).catch((error: Error) => error)`. Count the cuts in a variable outside the loop, and set it to 0 whenever an answer comes. Treat an answer whose status is in `NOT_NOW` as a cut. After a 202 without Preference-Applied, or one that took less than 900 ms, sleep for `retryAfterMs(headers)`.',
  solution: { file: FILE, region: 'persistent' },
});

const [yes, no] = [() => true, () => false];

/** A proxy in between that drops the headers of a request. */
const droppingPrefer = (client: Client): Client =>
  ((to, init) => client(to, { ...init, headers: { Accept: 'application/json' } })) as Client;

/** A server that grants a wait of 0 s: it says that it has applied the preference, and answers immediately. */
const grantingNoTime = (client: Client): Client =>
  (async (to, init) => {
    const response = await droppingPrefer(client)(to, init);
    response.headers.set('Preference-Applied', 'wait=0');
    return response;
  }) as Client;

/** So many requests without a pause are a storm. */
const STORM = 10;
/** A client pauses if it asks nothing in so many turns of this process's timers, of 20 ms or more each. */
const PAUSE_TURNS = 4;

/** Throws unless a client pauses between its requests also where its wait is not honored. */
async function staysCalm(wait: (client: Client, job: Job) => Promise<unknown>): Promise<void> {
  const lines = [
    [droppingPrefer, 'A proxy dropped its Prefer', 'Look for Preference-Applied.'],
    [grantingNoTime, 'The server granted a wait of 0 s', 'Measure how long the answer took.'],
  ] as const;
  for (const [line, cause, remedy] of lines) {
    const job = await submit({ kind: 'manual' });
    const { client, asked, isAsking } = cutting([], { line });
    let isOver = false;
    const finished = inTime(wait(client, job), `${cause}, and it did not finish.`).finally(() => (isOver = true));
    finished.catch(() => {}); // it is awaited below
    // Turns, not milliseconds: on a busy machine, a client that does not pause asks in each of them all the same.
    for (let [quiet, before] = [0, 0]; quiet < PAUSE_TURNS && asked() < STORM && !isOver; before = asked()) {
      await sleep(20);
      quiet = isAsking() || asked() > before ? 0 : quiet + 1;
    }
    const storm = asked() >= STORM;
    await finish(job);
    await finished;
    assert.ok(!storm, `${cause}, and it asked ${STORM} times without a pause: a storm. ${remedy}`);
  }
}

const cut = (): Response => {
  throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
};

/** A client whose requests of these numbers, from 1, fail: by default, as a connection does that is cut. */
function cutting(which: number[] | 'all', { line = (client: Client) => client, fail = cut } = {}) {
  let [asked, cuts, waited, open] = [0, 0, true, 0];
  const pauses: number[] = []; // from each cut to the next request
  let cutAt: number | undefined;
  const run = experiment('exercise: survive a cut', fetch);
  const client = (async (to, init) => {
    asked += 1;
    if (cutAt !== undefined) pauses.push(performance.now() - cutAt);
    waited &&= /wait=/.test(new Headers((init?.headers ?? {}) as Record<string, string>).get('prefer') ?? '');
    if (which !== 'all' && !which.includes(asked)) {
      open += 1;
      return line(run.fetch)(to, init).finally(() => (open -= 1));
    }
    cuts += 1;
    // A loop that never ends must not keep everything else from running.
    await sleep(1);
    cutAt = performance.now();
    return fail();
  }) as Client;
  return { client, asked: () => asked, isAsking: () => open > 0, cuts: () => cuts, waited: () => waited, pauses };
}

/** The solution that is shown, and that a test runs. */
// #region persistent
export const myWait: Wait = async (client, resultUrl, waitS) => {
  const request = { headers: { Prefer: `wait=${waitS}` }, timeoutMs: 1_000 * (waitS + 10) };
  for (let cuts = 0; ; ) {
    const began = performance.now();
    const answer = await sendOnce(client, resultUrl, request).catch((error: Error) => error);
    const broken = answer instanceof Error;
    if (broken || NOT_NOW.includes(answer.status)) {
      cuts += 1;
      if (cuts === 3) throw broken ? answer : new Refusal(answer);
      const backOffMs = 100 * 2 ** cuts;
      const pauseMs = broken ? backOffMs : retryAfterMs(answer.headers, backOffMs);
      await sleep(pauseMs * (1 + Math.random() / 2));
      continue;
    }
    cuts = 0;
    if (answer.status === 200) return jsonOf(answer);
    if (answer.status !== 202) throw new Refusal(answer);
    const waited = answer.headers.has('Preference-Applied') && performance.now() - began > 900;
    if (!waited) await sleep(retryAfterMs(answer.headers));
  }
};
// #endregion

/** 2. What short polling costs that is as fresh, from a lateness that the reader measured, in milliseconds. */
export const asFresh = (lateMs: number) =>
  exercise<number>({
    id: '04-long-polling/2-as-fresh',
    check(answer) {
      const right = timesTheRequests(lateMs);
      const factor = answer / right;
      const close = (to: number) => Math.abs(factor / to - 1) < 0.02;
      assert.ok(!close(1 / 1_000) && !close(1_000), `${number(answer)} mixes seconds and milliseconds.`);
      assert.ok(!close(2), `${number(answer)} is twice as much: the news of a poll is late by half its interval.`);
      assert.ok(!close(1 / 4), `${number(answer)} is a quarter of it: the interval is twice the lateness.`);
      assert.ok(close(1), `${number(answer)} is not it. How many requests does each of them send in 25 s?`);
      return `A poll every ${number(2 * lateMs)} ms: ${number(right)} requests for each long poll.`;
    },
    hint: 'Late by half the interval, so the interval is twice the lateness. How many such polls go into 25 s? The long poll sends one.',
    solution: { file: FILE, region: 'as-fresh' },
  });

// #region as-fresh
export const timesTheRequests = (lateMs: number) => {
  const intervalMs = 2 * lateMs;
  return 25_000 / intervalMs;
};
// #endregion

/** 3. A consumer that goes on where it was stopped. */
export const resumable = exercise<Consumer>({
  id: '04-long-polling/3-resumable',
  async check(consumer) {
    const steps = 12;
    const job = await submit({ kind: 'simulated', durationMs: 400, steps });
    const eventsUrl = server().url + job.links.events;
    const run = experiment('exercise: go on where you were', fetch);
    const saved: Saved = { cursor: '' };
    const handled: LoggedEvent[] = [];
    const [stopped, lives] = [new Set<string>(), 40];
    let calls = 0;
    // Every third event is interrupted, once, and so is every third request.
    const handle: Handle = async (event) => {
      await sleep(1);
      const third = handled.length % 3 === 2 && !stopped.has(event.id);
      if (third) {
        stopped.add(event.id);
        throw new Stopped();
      }
      handled.push(event);
    };
    const client = (async (to, init) => {
      calls += 1;
      if (calls % 3 === 0) throw new Stopped();
      return run.fetch(to, init);
    }) as Client;
    for (let life = 1; ; life++) {
      assert.ok(life <= lives, `After ${lives} starts it has not reached the end: does it save its cursor?`);
      const alive = inTime(consumer(client, eventsUrl, saved, handle), 'It did not finish.');
      const end = await alive.then(() => true, unlessStopped);
      if (end) break;
      const kept = saved.cursor === '' || handled.some(({ id }) => id === saved.cursor);
      assert.ok(
        kept,
        'When it was stopped, the cursor was past an event that was not handled: move it after `handle`.',
      );
    }
    const ids = handled.map(({ id }) => id);
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    const expected = steps + 3; // queued, started, a progress a step, succeeded
    assert.equal(twice, undefined, `An event that had been handled came again: move the cursor with each event.`);
    assert.equal(handled.length, expected, `${handled.length} of ${expected} events were handled when it returned.`);
    const order = JSON.stringify(await allIds(eventsUrl)) === JSON.stringify(ids);
    assert.ok(order, 'All events were handled, but not in their order.');

    await staysCalm((client, { links }) =>
      consumer(client, server().url + links.events, { cursor: '' }, async () => {}),
    );

    const noMore = bounded();
    const late: LoggedEvent[] = [];
    const atEnd = { cursor: saved.cursor };
    const called = consumer(noMore.client, eventsUrl, atEnd, async (event) => void late.push(event));
    await inTime(called, 'Called once more after the end of the job, it did not return.').catch((error: Error) => {
      throw new Error(`Called once more after the end of the job, it did not return: ${error.message}`);
    });
    assert.equal(late.length, 0, 'Called once more after the end of the job, it handled an event again.');

    const elsewhere = bounded((to) => to.replace(/\bafter=[^&]*/, `after=${UNKNOWN_CURSOR}`));
    const told = await inTime(
      consumer(elsewhere.client, eventsUrl, { cursor: ids[2]! }, async (event) => void late.push(event)).then(no, yes),
      'After an answer with a gap, it did not finish.',
    );
    assert.ok(told && late.length === 0, 'An answer said that events are lost (gap), and it went on: it must throw.');
    return `Stopped ${stopped.size} times while it handled an event, and nothing was lost or came twice.`;
  },
  hint: 'Each event has an id, and that is a cursor. Move saved.cursor to it when its handle is done, not before, and not only at the end of the batch. Ask with Accept: application/json and ?after= (leave it out while the cursor is empty). After an answer without Preference-Applied, or one without events that took less than 900 ms, sleep for `retryAfterMs(headers)`. An answer without events may mean that the cursor is at the last event of a job that has ended: ask `isPastEnd`.',
  solution: { file: FILE, region: 'resumable' },
});

/** An id of the server's form that no server has given. */
const UNKNOWN_CURSOR = 'unknown0-1';

/** A client that changes the URL of each request and, so that no loop runs forever, throws after the twentieth. */
function bounded(changed = (to: string) => to) {
  const run = experiment('exercise: come back to the end', fetch);
  let asked = 0;
  const client = (async (to, init) => {
    asked += 1;
    if (asked > 20) throw new Error('it asked more than 20 times');
    return run.fetch(changed(String(to)), init);
  }) as Client;
  return { client };
}

class Stopped extends Error {
  override message = 'stopped by the check';
}

function unlessStopped(error: unknown): false {
  if (error instanceof Stopped) return false;
  throw error;
}

async function allIds(eventsUrl: string): Promise<string[]> {
  const response = await fetch(eventsUrl, { headers: { Accept: 'application/json' } });
  return ((await response.json()) as { events: LoggedEvent[] }).events.map(({ id }) => id);
}

// #region resumable
export const myConsumer: Consumer = async (client, eventsUrl, saved, handle) => {
  const request = { headers: { Accept: 'application/json', Prefer: 'wait=25' }, timeoutMs: 35_000 };
  for (;;) {
    const after = saved.cursor ? `?${new URLSearchParams({ after: saved.cursor })}` : '';
    const began = performance.now();
    const answer = await sendOnce(client, eventsUrl + after, request);
    if (answer.status !== 200) throw new Refusal(answer);
    const { events, gap } = jsonOf<Batch>(answer);
    if (gap) throw new Error(`Events are lost. The oldest that the server still has: ${gap.oldest ?? 'none'}.`);
    for (const event of events) {
      await handle(event);
      saved.cursor = event.id; // only now: it has been handled
      if (['succeeded', 'failed', 'cancelled'].includes(event.event)) return;
    }
    if (events.length === 0 && saved.cursor && (await isPastEnd(client, eventsUrl, saved.cursor))) return;
    const waited = answer.headers.has('Preference-Applied') && (events.length > 0 || performance.now() - began > 900);
    if (!waited) await sleep(retryAfterMs(answer.headers));
  }
};
// #endregion
