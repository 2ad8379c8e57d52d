import assert from 'node:assert/strict';
import type { Recorded } from '../instruments/examine.js';
import { exercise } from '../instruments/exercise.js';

const FILE = 'notebooks/exercises/13-your-own.ts';

/** Finds the requests that held the connections to a host when a request began to wait. */
export type Holders = (waiting: Recorded, all: readonly Recorded[]) => Recorded[];

const HOST = 'http://app.example';
const recorded = (name: string, startedAt: number, endedAt: number, change: Partial<Recorded> = {}): Recorded => ({
  ...{ method: 'GET', url: `${HOST}/${name}`, technique: 'other', startedAt, endedAt, blockedMs: 0, status: 200 },
  ...{ body: null, events: null, ...change },
});
const waiting = recorded('waiting', 1_000, 4_000, { blockedMs: 2_900 });
/** The other requests, whether each held a connection, and a hint for a function that gets it wrong. */
const BESIDE: [row: Recorded, holds: boolean, question: string][] = [
  [recorded('stream', 100, 3_900), true, 'It was sent before, and ended later.'],
  [recorded('untold', 200, 3_800, { blockedMs: null }), true, 'Its blockedMs is null: treat that as no wait.'],
  [recorded('sent-late', 300, 3_700, { blockedMs: 600 }), true, 'It had to wait, too, but was sent at 900 ms.'],
  [recorded('early', 0, 900), false, 'It had ended at 900 ms.'],
  [recorded('also-waiting', 950, 4_100, { blockedMs: 3_000 }), false, 'At 1000 ms it was waiting, too.'],
  [recorded('later', 1_500, 3_000), false, 'It began only after the wait had begun.'],
  [recorded('elsewhere', 100, 3_900, { url: 'http://other.example/elsewhere' }), false, 'It went to another host.'],
];

/** 1. Which requests held the connections. */
export const holders = exercise<Holders>({
  id: '13-your-own/1-holders',
  check(find) {
    const all = [...BESIDE.map(([row]) => row), waiting];
    const found = find(waiting, all);
    assert.ok(Array.isArray(found), `Expected a list of requests, got ${typeof found}.`);
    assert.ok(!found.includes(waiting), 'The request that waits is in the list. It holds no connection yet.');
    for (const [row, holds, question] of BESIDE) {
      const name = new URL(row.url).pathname;
      const what = holds ? `${name} held a connection, and is missing` : `${name} held none, and is in the list`;
      assert.equal(found.includes(row), holds, `${what}. ${question}`);
    }
    return 'Where six requests hold the connections to a host, the next one waits.';
  },
  hint: 'Four conditions: it is not `waiting` itself; `new URL(url).host` is the same; it was sent (`startedAt + (blockedMs ?? 0)`) by `waiting.startedAt`; and it ended after that.',
  solution: { file: FILE, region: 'holders' },
});

// #region holders
export const myHolders: Holders = (waiting, all) =>
  all.filter(
    (other) =>
      other !== waiting &&
      new URL(other.url).host === new URL(waiting.url).host &&
      other.startedAt + (other.blockedMs ?? 0) <= waiting.startedAt && // it had been sent
      other.endedAt > waiting.startedAt, // and had not ended
  );
// #endregion

type Remedy =
  | 'keep the last events, and send those after Last-Event-ID'
  | 'send a comment every 15 s'
  | 'hold the answer until there is news'
  | 'leave text/event-stream out of what is compressed'
  | 'share one stream among the parts of the page'
  | 'set "retry" to a lower number'
  | 'give the server more memory';
type Letter = 'a' | 'b' | 'c' | 'd' | 'e';
/** The fix of each finding. */
export type Remedies = Record<Letter, Remedy>;

/** What to think about after a wrong answer. */
const QUESTIONS: Record<Letter, string> = {
  a: 'What could the service send during a silence?',
  b: 'How do the two requests differ?',
  c: 'Where could the service find the events that the reader missed?',
  d: 'What takes the connections, and how many does the page need?',
  e: 'When should the answer come?',
};

/** 2. Findings and their fixes. */
export const remedies = exercise<Record<string, string>>({
  id: '13-your-own/2-remedies',
  check(fixes) {
    for (const [letter, question] of Object.entries(QUESTIONS) as [Letter, string][]) {
      const [got, right] = [fixes[letter], myRemedies[letter]];
      assert.equal(got, right, `${letter}: ${got ? `"${got}" is not it` : 'it is in no box yet'}. ${question}`);
    }
    return 'A lower "retry" and more memory fix none of these findings.';
  },
  hint: 'The table "What you would do at work" has four of the five. The fifth is about readers that come back.',
  solution: { file: FILE, region: 'remedies' },
});

// #region remedies
export const myRemedies: Remedies = {
  a: 'send a comment every 15 s', // nginx closes a connection after 60 s of silence
  b: 'leave text/event-stream out of what is compressed',
  c: 'keep the last events, and send those after Last-Event-ID',
  d: 'share one stream among the parts of the page',
  e: 'hold the answer until there is news', // long polling
};
// #endregion
