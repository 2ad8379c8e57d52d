import assert from 'node:assert/strict';
import fetch from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import type { Job } from '../instruments/job.js';
import { table } from '../instruments/table.js';

const FILE = 'notebooks/exercises/00-start-here.ts';

/** How long the client of the strange trace is watched at least, in milliseconds, and for how many requests. */
const WATCH_MS = 150;
const WATCH_REQUESTS = 10;

/**
 * Runs a client that long-polls for a job's result through a proxy, and shows what it sent and got. The proxy
 * (here: a function) strips the header `Prefer`, and the client never checks whether its wait was honored.
 */
export async function strangeTrace(): Promise<void> {
  const { url } = server();
  const headers = { 'Content-Type': 'application/json' };
  const submitted = await fetch(`${url}/jobs`, { method: 'POST', headers, body: JSON.stringify({ kind: 'manual' }) });
  const { links } = (await submitted.json()) as Job;
  const rows = [];
  const began = performance.now();
  while (rows.length < WATCH_REQUESTS || performance.now() - began < WATCH_MS) {
    const sentMs = performance.now() - began;
    const response = await fetch(url + links.result); // what the proxy makes of the request
    await response.text();
    rows.push({
      'time (ms)': Math.round(sentMs),
      'the client sent': 'GET /jobs/…/result, Prefer: wait=20',
      'it got': `${response.status}`,
      'Preference-Applied': response.headers.get('Preference-Applied') ?? 'absent',
    });
  }
  const watchedMs = performance.now() - began;
  await (await fetch(url + links.self, { method: 'DELETE' })).text();
  table(rows.slice(0, 6), `The first 6 of ${rows.length} requests in ${watchedMs.toFixed(0)} ms`);
}

const CAUSES = {
  'slow job': 'A job may take as long as it likes: a long poll is for jobs that take long.',
  'wait too short': 'The client is willing to wait 20 s. Look at how long each answer took.',
  'wait not honored': '',
  'no free connection': 'A request that waits for a connection gets no answer at all. These were answered.',
};
const REMEDIES = {
  'ask for a longer wait': 'The server never heard of the wait: a longer one gets lost in the same place.',
  'open more connections': 'The requests were answered immediately. More connections would only bring more of them.',
  'pause before asking again': '',
  'give up':
    'The job is still at work, and its result is worth having. Giving up is for errors, and a 202 is not an error.',
};
type Diagnosis = Record<'cause' | 'remedy', string | null>;

/** 1. A long poller whose wait gets lost. */
export const diagnosed = exercise<Diagnosis>({
  id: '00-start-here/1-diagnosed',
  check(answer) {
    chosen('cause', answer.cause, CAUSES);
    chosen('remedy', answer.remedy, REMEDIES);
    return 'Without Preference-Applied, a long poller must pause, as a short poller does.';
  },
  hint: 'Compare the times of two rows in a row: how long was each request held? Then look at the last column. In `Preference-Applied`, a server says that it honored the wait.',
  solution: { file: FILE, region: 'diagnosed' },
});

/** Throws unless the one right name was chosen; the right one is the one that has nothing against it. */
function chosen(what: string, name: string | null, reasons: Record<string, string>): void {
  const reason = reasons[name ?? ''];
  assert.ok(reason !== undefined, `Expected an x at the ${what}, got ${name ? `one at "${name}"` : 'none'}.`);
  assert.ok(reason === '', `Not this ${what}. ${reason}`);
}

// #region diagnosed
/** Each answer comes immediately and says "not yet": something along the route dropped the header `Prefer`. */
export const diagnosis: Diagnosis = { cause: 'wait not honored', remedy: 'pause before asking again' };
// #endregion

const WHY: Record<keyof typeof choice, string> = {
  a: 'it takes 0.4 s, and the answer goes to the one who asked.',
  b: 'somebody is looking, and wants to see each change when it happens.',
  c: 'a phone that asks once an hour should not keep a connection open.',
  d: 'the script wants nothing but the end, soon after it happens, and nobody looks at progress.',
  e: 'it must get every event, also those that happened while it was restarting.',
};

/** 2. A way for each of five needs. */
export const chose = exercise<Record<string, string>>({
  id: '00-start-here/2-chose',
  check(answer) {
    for (const [need, why] of Object.entries(WHY)) {
      assert.ok(answer[need], `"${need}" is in no box yet.`);
      assert.ok(answer[need] === choice[need as keyof typeof choice], `Think again about "${need}": ${why}`);
    }
    return 'Each way fits its need.';
  },
  hint: 'Ask three questions of each need. Is the answer there in a moment? Is somebody looking at every change? May the client be away while things happen?',
  solution: { file: FILE, region: 'chose' },
});

// #region chose
export const choice = {
  a: 'request and response', // done in a moment, for the one who asked
  b: 'server-sent events', // every change, immediately, while somebody is looking
  c: 'short polling', // now and then, and no connection in between
  d: 'long polling', // only the end, soon after it happens
  e: 'consume', // every event, at its own pace, also after being away
};
// #endregion
