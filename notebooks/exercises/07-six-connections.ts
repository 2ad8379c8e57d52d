import assert from 'node:assert/strict';
import { once } from 'node:events';
import { EventSource } from 'eventsource';
import fetch from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { experiment } from '../instruments/experiment.js';
import type { Job } from '../instruments/job.js';
import { readLedger } from '../instruments/ledger.js';
import { sendOnce } from '../lessons/a-job-and-its-id.js';
import { over, submit } from '../lessons/server-sent-events.js';

const FILE = 'notebooks/exercises/07-six-connections.ts';

/** A pool of slots: `take` resolves when there is a free slot, to the function that releases it. */
export type Pool = (most: number) => { take(): Promise<() => void> };

/** 1. Where the seventh waits: a number of slots, and a queue of the callers that wait for one. */
export const pool = exercise<Pool>({
  id: '07-six-connections/1-pool',
  async check(make) {
    const { take } = make(6);
    const taken: number[] = [];
    const releases: (() => void)[] = [];
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    for (let i = 1; i <= 8; i += 1)
      void take().then((release) => {
        taken.push(i);
        releases.push(release);
      });
    await turn();
    assert.ok(taken.length >= 6, `Eight asked, there are six slots, and ${taken.length} were taken.`);
    assert.equal(taken.length, 6, `Six slots, and ${taken.length} were taken at the same time.`);
    releases.shift()?.();
    await turn();
    assert.equal(taken.length, 7, `A slot was released, and ${taken.length - 6} of the two waiting callers got one.`);
    assert.deepEqual(taken, [1, 2, 3, 4, 5, 6, 7], `They got their slots in the order ${taken.join(', ')}.`);
    const [first] = releases;
    first?.();
    first?.(); // a mistake that people make
    await turn();
    void take().then(() => taken.push(9));
    await turn();
    assert.equal(taken.length, 8, 'A slot that was released twice counted as two.');
    for (const release of releases) release();
    await turn();
    assert.equal(taken.at(-1), 9, 'The ninth never had its turn, though all slots were released.');
    return 'First come, first served, and never more than six.';
  },
  hint: 'Keep two things: how many slots are taken, and an array with the `resolve` of each caller that waits. When a slot is released, hand it to the first of them.',
  solution: { file: FILE, region: 'pool' },
});

// #region pool
export const myPool: Pool = (most) => {
  let taken = 0;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next)
      next(); // it takes over the slot
    else taken -= 1;
  };
  return {
    async take() {
      if (taken < most) taken += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      let held = true;
      return () => {
        if (held) release();
        held = false;
      };
    },
  };
};
// #endregion

/** Something that a browser is asked to open. */
export interface Opening {
  url: string;
  kind: 'event-stream' | 'long-poll' | 'WebSocket';
  private?: boolean;
}

/** 2. How many of them a Chromium opens at the same time. */
export const opens = exercise<(openings: Opening[]) => number>({
  id: '07-six-connections/2-opens',
  check(count) {
    for (const [what, openings, right] of CASES) {
      const got = count(openings);
      assert.equal(got, right, `Of ${what}, ${right} are open at the same time; your function says ${got}.`);
    }
    return `All ${CASES.length} cases.`;
  },
  hint: 'Make a key for each pool: entries with the same key share six slots. `new URL(url).origin` has the scheme, the host name and the port. Which kind needs no slot?',
  solution: { file: FILE, region: 'opens' },
});

const times = (n: number, opening: Opening): Opening[] => Array.from({ length: n }, () => opening);
const stream = (url: string): Opening => ({ url, kind: 'event-stream' });
const HERE = 'http://localhost:4321/events';
const CASES: [what: string, openings: Opening[], right: number][] = [
  ['four streams', times(4, stream(HERE)), 4],
  ['eight streams of one host', times(8, stream(HERE)), 6],
  ['four streams and four long polls', [...times(4, stream(HERE)), ...times(4, { url: HERE, kind: 'long-poll' })], 6],
  ['eight streams of different paths', times(8, stream(HERE)).map(({ url }, i) => stream(`${url}?${i}`)), 6],
  [
    'eight streams to each of two ports',
    [...times(8, stream(HERE)), ...times(8, stream('http://localhost:4323/'))],
    12,
  ],
  [
    'five to localhost and five to 127.0.0.1',
    [...times(5, stream(HERE)), ...times(5, stream('http://127.0.0.1:4321/'))],
    10,
  ],
  [
    'seven, and seven in a private window',
    [...times(7, stream(HERE)), ...times(7, { ...stream(HERE), private: true })],
    12,
  ],
  [
    'seven streams and three WebSockets',
    [...times(7, stream(HERE)), ...times(3, { url: 'ws://localhost:4321/', kind: 'WebSocket' })],
    9,
  ],
];

// #region opens
export function myOpens(openings: Opening[]): number {
  const pools: Record<string, number> = {};
  for (const { url, kind, private: isPrivate } of openings) {
    const key = kind === 'WebSocket' ? kind : `${new URL(url).origin} ${isPrivate ?? false}`;
    pools[key] = (pools[key] ?? 0) + 1;
  }
  const open = ([key, asked]: [string, number]) => (key === 'WebSocket' ? asked : Math.min(6, asked));
  return Object.entries(pools)
    .map(open)
    .reduce((sum, each) => sum + each, 0);
}
// #endregion

type Listener = (event: string) => void;
/**
 * Follows a job on a stream that all followers share; returns a function that stops following. `open` opens the source:
 * on the events after the cursor, or without one, on the events from now on.
 */
export type Share = (open: (cursor?: string) => EventSource) => (jobId: string, listener: Listener) => () => void;

const EVENTS = ['progress', 'succeeded'];

/** 3. One stream for everybody who follows a job: opened for the first, closed after the last. */
export const shared = exercise<Share>({
  id: '07-six-connections/3-shared',
  async check(share) {
    const { url } = server();
    const client = experiment('one stream, shared', fetch);
    const sources: EventSource[] = [];
    let jobs: Job[] = [];
    const follow = share((cursor) => {
      const query = cursor ? `?${new URLSearchParams({ after: cursor })}` : '';
      const source = new EventSource(`${url}/events${query}`, { fetch: over(client.fetch) });
      sources.push(source);
      return source;
    });
    try {
      assert.equal(sources.length, 0, 'A stream was opened before there was a follower.');
      jobs = await Promise.all(Array.from({ length: 8 }, () => submit(fetch, `${url}/jobs`, { kind: 'manual' })));
      const heard = jobs.map((): string[] => []);
      const leave = jobs.map(({ jobId }, i) => follow(jobId, (event) => heard[i]?.push(event)));
      assert.equal(sources.length, 1, `Eight jobs need one stream, and ${sources.length} were opened.`);
      const [source] = sources as [EventSource];
      await once(source, 'position', patience()).catch(() => assert.fail('The stream did not begin.'));
      leave[0]?.();
      assert.notEqual(source.readyState, EventSource.CLOSED, 'One has left, seven stay, and the stream was closed.');
      const again: string[] = [];
      const { jobId } = jobs[1] as Job;
      follow(jobId, () => {})(); // a second follower of one job comes, and leaves
      leave.push(follow(jobId, (event) => again.push(event)));
      for (const job of jobs) await tell(job);
      const last = () => heard.slice(1).every((events) => events.includes('succeeded'));
      await settle(
        last,
        () => `One of the seven heard ${JSON.stringify(heard.find((e, i) => i > 0 && !e.includes('succeeded')))}`,
      );
      assert.deepEqual(heard[0], [], `The one that left still heard ${heard[0]?.join(', ')}.`);
      const other = heard.slice(1).find((events) => String(events) !== String(EVENTS));
      assert.equal(
        other,
        undefined,
        `Each listener hears ${EVENTS.join(' and ')} of its own job; one heard ${other?.join(', ')}.`,
      );
      assert.deepEqual(
        again,
        EVENTS,
        `A job had two followers, and the second heard ${again.join(', ') || 'nothing'}.`,
      );
      for (const end of leave) end();
      assert.equal(source.readyState, EventSource.CLOSED, 'All have left, and the stream is still open.');
      follow((jobs[0] as Job).jobId, () => {})();
      assert.equal(sources.length, 2, 'A follower came after all had left: it needs a new stream.');
      const { requests } = (await readLedger(client.name, url)).totals['event-stream'];
      assert.ok(requests <= 2, `The ledger saw ${requests} streams.`);
      return 'Eight jobs, one stream; and none without followers.';
    } finally {
      for (const source of sources) source.close();
      await Promise.all(jobs.map(({ links }) => sendOnce(fetch, url + links.self, { method: 'DELETE' })));
    }
  },
  hint: 'A Map from a job\'s id to the Set of its listeners, and a source that is null while the Map is empty. Each event\'s data are JSON, and have the jobId. Listen for "progress" and "succeeded" by name.',
  solution: { file: FILE, region: 'shared' },
});

// #region shared
/** In production, also fetch each job's state after a `gap`, and ask by `fetch` before opening a closed source again. */
export const myShare: Share = (open) => {
  const followers = new Map<string, Set<Listener>>();
  let source: EventSource | null = null;
  let timer: NodeJS.Timeout | undefined;
  let cursor = '';
  let failures = 0;
  const begin = () => {
    const opened = open(cursor);
    source = opened;
    // The stream begins with `position`: its id is a cursor before there is an event of a job.
    for (const event of ['position', 'progress', 'succeeded'])
      opened.addEventListener(event, ({ data, lastEventId }) => {
        for (const tell of followers.get(JSON.parse(data).jobId) ?? []) tell(event);
        [cursor, failures] = [lastEventId || cursor, 0];
      });
    opened.addEventListener('error', () => {
      if (opened.readyState !== opened.CLOSED || source !== opened) return;
      const pauseMs = Math.min(1_000 * 2 ** failures, 30_000);
      failures += 1;
      timer = setTimeout(begin, pauseMs * (1 + Math.random() / 2));
    });
  };
  return (jobId, listener) => {
    const listeners = followers.get(jobId) ?? new Set();
    followers.set(jobId, listeners.add(listener));
    if (!source) begin();
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) followers.delete(jobId);
      if (followers.size > 0) return;
      clearTimeout(timer);
      source?.close();
      [source, cursor, failures] = [null, '', 0];
    };
  };
};
// #endregion

const patience = () => ({ signal: AbortSignal.timeout(5_000) });

async function tell({ links }: Job): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const post = (path: string, body: string) =>
    sendOnce(fetch, server().url + links.self + path, { method: 'POST', headers, body });
  await post('/progress', '{"progress":0.5}');
  await post('/finish', '{"result":1}');
}

/** Waits until `is` returns true, for as long as `patience` allows. */
async function settle(is: () => boolean, otherwise: () => string): Promise<void> {
  const { signal } = patience();
  while (!is()) {
    assert.ok(!signal.aborted, `${otherwise()}, and no "succeeded".`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
