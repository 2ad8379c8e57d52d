import assert from 'node:assert/strict';
import fetch, { Response } from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { experiment } from '../instruments/experiment.js';
import type { Job } from '../instruments/job.js';
import { ledger } from '../instruments/ledger.js';
import { number } from '../instruments/table.js';
import { longPoll } from '../lessons/long-polling.js';
import { isFinal, readStream } from '../lessons/server-sent-events.js';
import type { Client } from '../lessons/short-polling.js';

const FILE = 'notebooks/exercises/07-choosing.ts';

type Crossing = (pollS: number, heartbeatS: number) => number;
type Follow = (client: Client, base: string, job: Job) => Promise<unknown>;

/** 1. How often a core's clients may poll, from a price that the reader measured, in milliseconds of CPU a poll. */
export const budget = (pollMs: number) =>
  exercise<number>({
    id: '07-choosing/1-budget',
    check(answer) {
      const right = shortestIntervalS(pollMs);
      const factor = answer / right;
      const near = (than: number) => Math.abs(factor / than - 1) < 0.02;
      assert.ok(!near(1 / 2), `In ${answer} s the core would be busy all the time: it may be for half of it.`);
      assert.ok(
        !near(1 / 4),
        `${answer} s is off by a factor of 4: the core may be *less* busy, so they ask less often.`,
      );
      const off = [1_000, 1 / 1_000].find(near);
      assert.equal(off, undefined, `${answer} s is off by a factor of ${off}: look at the units.`);
      assert.ok(near(1), `${answer} s is not it. How long is the core busy with one poll of each?`);
      return `One poll of each takes ${number(right / 2)} s of the core, so a round takes twice that.`;
    },
    hint: 'One poll of each client takes 20,000 times pollMs of CPU. That may be half of the time between two such rounds.',
    solution: { file: FILE, region: 'budget' },
  });

// #region budget
export const shortestIntervalS = (pollMs: number) => {
  const busyS = (20_000 * pollMs) / 1_000; // one poll of each client
  return busyS / 0.5;
};
// #endregion

/** 2. From how much news on a stream wakes a radio as often as polls do. */
export const crossing = exercise<Crossing>({
  id: '07-choosing/2-crossing',
  check(cross) {
    const cases: [pollS: number, heartbeatS: number][] = [
      [60, 300],
      [30, 300],
      [60, 90],
      [30, 30],
      [300, 15],
    ];
    for (const [pollS, heartbeatS] of cases) {
      const right = myCrossing(pollS, heartbeatS);
      const got = cross(pollS, heartbeatS);
      const where = `For a poll every ${pollS} s and a heartbeat every ${heartbeatS} s`;
      assert.ok(Number.isFinite(got), `${where} it gave ${got}: expected a number.`);
      assert.ok(got >= 0, `${where} it gave ${number(got)}: the stream is never better there, say 0.`);
      assert.ok(
        Math.abs(got - right) < 0.01,
        `${where}: expected ${number(right)} pieces of news an hour, got ${number(got)}.`,
      );
    }
    return 'Below that, the stream lets the radio sleep longer, and its news is fresh besides.';
  },
  hint: 'An hour has 3,600 seconds. Polls: 3600 / pollS. The stream: 3600 / heartbeatS and the news. Where are they equal? Math.max(0, …) does the rest.',
  solution: { file: FILE, region: 'crossing' },
});

// #region crossing
export const myCrossing: Crossing = (pollS, heartbeatS) => Math.max(0, 3_600 / pollS - 3_600 / heartbeatS);
// #endregion

/** What may become of a stream on its way. */
const LINES: { name: string; events: (response: Response) => Response }[] = [
  { name: 'is refused with 503', events: () => new Response('busy', { status: 503 }) },
  {
    name: 'comes as a web page',
    events: () => new Response('<h1>Log in</h1>', { headers: { 'Content-Type': 'text/html' } }),
  },
  {
    name: 'ends before the job does',
    events: () => new Response('retry: 100\n\n', { headers: { 'Content-Type': 'text/event-stream' } }),
  },
];

/** 3. A client that listens, and falls back to a long poll where it cannot. */
export const fallback = exercise<Follow>({
  id: '07-choosing/3-fallback',
  async check(follow) {
    const { url } = server();
    const clear = experiment('exercise: the stream gets through', fetch);
    const job = await submitted(url);
    const got = await follow(clear.fetch, url, job);
    const right = await resultOf(url, job);
    assert.deepEqual(
      got,
      right,
      `Expected the result ${JSON.stringify(right)}, got ${JSON.stringify(got) ?? 'nothing'}.`,
    );
    const { totals } = await ledger(clear);
    assert.ok(totals['event-stream'].requests > 0, 'The stream was there, and nobody asked for it.');
    const sent = clear.rows.length;
    assert.equal(sent, 1, `The stream got through, and it took ${sent} requests: the final event has the result.`);
    assert.equal(totals['event-stream'].open, 0, 'The stream was left open: leave the loop, or abort the request.');

    for (const { name, events } of LINES) {
      const run = experiment('exercise: the stream does not get through', fetch);
      const bent = (async (to, init) => {
        const stream = String(to).includes('/events');
        if (!stream) return run.fetch(to, init);
        return events(new Response());
      }) as Client;
      const job = await submitted(url);
      const came = await follow(bent, url, job).catch((error: Error) => {
        throw new Error(`When the stream ${name}, it threw: ${error.message}`);
      });
      assert.deepEqual(came, await resultOf(url, job), `When the stream ${name}, it returned ${JSON.stringify(came)}.`);
      const { requests } = (await ledger(run)).totals['long-poll'];
      assert.ok(requests > 0, `When the stream ${name}, it did not use a long poll.`);
    }
    return `One request when the stream gets through, and the result even when it does not.`;
  },
  hint: 'Read the events of links.events until the final one, and return the result in the data of succeeded. `readStream` throws where the status or the type is wrong, and where the line is cut: catch that. After all that comes the long poll, wherever the stream did not tell.',
  solution: { file: FILE, region: 'fallback' },
});

// #region fallback
export const myFollow: Follow = async (client, base, job) => {
  try {
    for await (const { event, data } of readStream(client, base + job.links.events)) {
      if (event === 'succeeded') return JSON.parse(data).result;
      if (isFinal(event)) break;
    }
  } catch {
    // No stream, or one that was cut: the long poll tells how the job stands.
  }
  return longPoll(client, base + job.links.result, 25);
};
// #endregion

async function submitted(url: string): Promise<Job> {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ kind: 'simulated', durationMs: 300, steps: 3 });
  const response = await fetch(`${url}/jobs`, { method: 'POST', headers, body });
  return (await response.json()) as Job;
}

const resultOf = async (url: string, { links }: Job) => (await fetch(`${url}${links.result}?wait=10`)).json();
