import assert from 'node:assert/strict';
import { exercise } from '../instruments/exercise.js';

const FILE = 'notebooks/exercises/06-what-breaks-a-stream.ts';

type Cause =
  | 'no heartbeats'
  | 'a proxy that buffers'
  | 'EventSource has closed for good'
  | 'one retry for all'
  | 'write() is ignored'
  | 'the history is gone'
  | 'the cursor is saved too soon';
type Incident = 'a' | 'b' | 'c' | 'd' | 'e';
/** The cause of each incident. */
export type Causes = Record<Incident, Cause>;

/** What to think about after a wrong answer. */
const QUESTIONS: Record<Incident, string> = {
  a: 'What ends a connection after a fixed time, but only while nothing is sent on it?',
  b: 'All events were sent, and none came before the end. What held them back at this one customer?',
  c: 'After a cut, a page reconnects. What does a 503 do that a cut does not?',
  d: 'What do all clients do three seconds after they have lost their connection?',
  e: 'What may a server keep for a client that is connected and does not read?',
};

/** 1. Five reports from production, each with one cause. */
export const incidents = exercise<Record<string, string>>({
  id: '06-what-breaks-a-stream/1-incidents',
  check(causes) {
    for (const [incident, question] of Object.entries(QUESTIONS) as [Incident, string][]) {
      const [got, right] = [causes[incident], myCauses[incident]];
      assert.equal(got, right, `${incident}: ${got ? `"${got}" is not it` : 'it is in no box yet'}. ${question}`);
    }
    return 'Each report has its cause, and this notebook has the remedy for each.';
  },
  hint: 'For each report, decide which of the three causes it: the proxy, the page or the server. Two of the seven causes are not among the five incidents.',
  solution: { file: FILE, region: 'incidents' },
});

// #region incidents
export const myCauses: Causes = {
  a: 'no heartbeats', // a proxy cuts what has been quiet for a minute; by day there is always news
  b: 'a proxy that buffers', // it passes the response on when it is complete
  c: 'EventSource has closed for good', // a 503 fails the connection: no request follows, until a reload
  d: 'one retry for all', // a server that sends no retry leaves it to the browsers: a few seconds, the same for all
  e: 'write() is ignored', // everything that a reader has not read waits in the memory of the server
};
// #endregion

const CROWD = 1_000;
const ROOM = 50;
const LONGEST_MS = 4_000;
const WINDOW_MS = 100;

/** 2. A reconnection time for each of a crowd, so that the server always has room for them. */
export const scatter = exercise<() => number>({
  id: '06-what-breaks-a-stream/2-scatter',
  check(retry) {
    const times = Array.from({ length: CROWD }, () => retry());
    const odd = times.find((ms) => !Number.isInteger(ms) || ms < 0);
    assert.equal(odd, undefined, `It gave ${odd}: a reader ignores a retry that is not all digits.`);
    const longest = Math.max(...times);
    assert.ok(longest <= LONGEST_MS, `One of them is away for ${longest} ms: more than ${LONGEST_MS}.`);
    const busiest = Math.max(...times.map((from) => times.filter((ms) => ms >= from && ms < from + WINDOW_MS).length));
    assert.ok(busiest <= ROOM, `${busiest} of them come within ${WINDOW_MS} ms, and there is room for ${ROOM}.`);
    return `At most ${busiest} of ${CROWD} come within ${WINDOW_MS} ms.`;
  },
  hint: 'A thousand clients at 50 in 100 ms need two seconds at least, and random times cluster: leave room. Math.round() makes whole milliseconds.',
  solution: { file: FILE, region: 'scatter' },
});

// #region scatter
export const myRetry = () => Math.round(Math.random() * 4_000);
// #endregion
