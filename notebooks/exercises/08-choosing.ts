import assert from 'node:assert/strict';
import fetch, { Response } from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { experiment } from '../instruments/experiment.js';
import type { Job } from '../instruments/job.js';
import { ledger } from '../instruments/ledger.js';
import { longPoll } from '../lessons/long-polling.js';
import { isFinal, readStream } from '../lessons/server-sent-events.js';
import type { Client } from '../lessons/short-polling.js';

const FILE = 'notebooks/exercises/08-choosing.ts';

type Cut = Record<'change' | 'column', string | null>;
type Follow = (client: Client, base: string, job: Job) => Promise<unknown>;

const CHANGES: Record<string, string> = {
  'poll less often': 'Polls tell of a state, not of every event: what happens between two polls is lost.',
  'wait for longer': 'Here an event ends each wait, not the time limit: hardly a request would be saved.',
  'open a stream instead': 'The gateway buffers responses: a stream would not get through (notebook 6).',
  'fetch larger batches': '',
};
const COLUMNS: Record<string, string> = {
  'bytes per client': 'Bytes go down with it, but they are not what keeps the CPU busy.',
  'requests open': 'As many requests are open as before, and they cost no CPU while they are held.',
  connections: 'Every client has one connection, whatever it does.',
  requests: '',
};

/** 1. What makes a consumer's CPU cheaper, and which measurement says so. */
export const cheaper = exercise<Cut>({
  id: '08-choosing/1-cheaper',
  check(answer) {
    const lists = { change: CHANGES, column: COLUMNS };
    for (const what of ['change', 'column'] as const) {
      const name = answer[what];
      const reason = lists[what][name ?? ''];
      assert.ok(reason !== undefined, `Expected an x at the ${what}, got ${name ? `one at "${name}"` : 'none'}.`);
      assert.ok(reason === '', `Not this ${what}. ${reason}`);
    }
    return 'With min=4 and a wait of 1 s, a consumer sends about a quarter of the requests, hears every event, and none more than a second late.';
  },
  hint: 'CPU follows one of these numbers. Which of the four changes makes that column smaller, and still brings every event?',
  solution: { file: FILE, region: 'cheaper' },
});

// #region cheaper
/** Several events per answer (`min`, as in notebook 4), with a wait of 1 s so that none is later than that: CPU follows the requests. */
export const myCut: Cut = { change: 'fetch larger batches', column: 'requests' };
// #endregion

/** What may become of a stream along the route. */
const ROUTES: { name: string; events: (response: Response) => Response }[] = [
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

/** 2. A client that listens, and falls back to a long poll where it cannot. */
export const fallback = exercise<Follow>({
  id: '08-choosing/2-fallback',
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
    assert.ok(totals['event-stream'].requests > 0, 'The stream was never requested.');
    const sent = clear.rows.length;
    assert.equal(sent, 1, `The stream got through, and it took ${sent} requests: the final event has the result.`);
    assert.equal(totals['event-stream'].open, 0, 'The stream was left open: leave the loop, or abort the request.');

    for (const { name, events } of ROUTES) {
      const run = experiment('exercise: the stream does not get through', fetch);
      const cut = (async (to, init) => {
        const stream = String(to).includes('/events');
        if (!stream) return run.fetch(to, init);
        return events(new Response());
      }) as Client;
      const job = await submitted(url);
      const came = await follow(cut, url, job).catch((error: Error) => {
        throw new Error(`When the stream ${name}, it threw: ${error.message}`);
      });
      assert.deepEqual(came, await resultOf(url, job), `When the stream ${name}, it returned ${JSON.stringify(came)}.`);
      const { requests } = (await ledger(run)).totals['long-poll'];
      assert.ok(requests > 0, `When the stream ${name}, it did not use a long poll.`);
    }
    return `One request when the stream gets through, and the result even when it does not.`;
  },
  hint: 'Read the events of links.events until the final one, and return the result in the data of succeeded. `readStream` throws where the status or the type is wrong, and when the connection is cut: catch that. When the stream has not brought the result, send the long poll.',
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
