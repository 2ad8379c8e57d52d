import assert from 'node:assert/strict';
import { exercise } from '../instruments/exercise.js';
import { number } from '../instruments/table.js';

const FILE = 'notebooks/exercises/12-what-waiting-costs.ts';

type Crossing = (pollS: number, heartbeatS: number) => number;

/** 1. How often a core's clients may poll, from a price that the reader measured, in milliseconds of CPU per poll. */
export const budget = (pollMs: number) =>
  exercise<number>({
    id: '12-what-waiting-costs/1-budget',
    check(answer) {
      const right = shortestIntervalS(pollMs);
      const factor = answer / right;
      const near = (than: number) => Math.abs(factor / than - 1) < 0.02;
      assert.ok(
        !near(1 / 2),
        `In ${answer} s the core would be busy all the time: it may be busy for only half of the time.`,
      );
      assert.ok(
        !near(1 / 4),
        `${answer} s is off by a factor of 4: the core may be *less* busy, so they ask less often.`,
      );
      const off = [1_000, 1 / 1_000].find(near);
      assert.equal(off, undefined, `${answer} s is off by a factor of ${off}: look at the units.`);
      assert.ok(near(1), `${answer} s is not it. How long is the core busy with one poll of each client?`);
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

/** 2. How many events on a stream wake a radio as often as polls do. */
export const crossing = exercise<Crossing>({
  id: '12-what-waiting-costs/2-crossing',
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
      assert.ok(got >= 0, `${where} it gave ${number(got)}: the stream is never better there, so return 0.`);
      assert.ok(
        Math.abs(got - right) < 0.01,
        `${where}: expected ${number(right)} events per hour, got ${number(got)}.`,
      );
    }
    return 'Below that, the stream lets the radio sleep longer, and its events arrive immediately.';
  },
  hint: 'An hour has 3,600 seconds. Polls: 3600 / pollS. The stream: 3600 / heartbeatS and the events. Where are they equal? Math.max(0, …) does the rest.',
  solution: { file: FILE, region: 'crossing' },
});

// #region crossing
export const myCrossing: Crossing = (pollS, heartbeatS) => Math.max(0, 3_600 / pollS - 3_600 / heartbeatS);
// #endregion
