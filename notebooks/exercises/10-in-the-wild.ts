import assert from 'node:assert/strict';
import { exercise } from '../instruments/exercise.js';
import { number } from '../instruments/table.js';

const FILE = 'notebooks/exercises/10-in-the-wild.ts';

type IdleFetches = (maxWaitMs: number, brokers: number) => number;

/** 1. How many fetches an idle consumer sends in an hour. */
export const idleFetches = exercise<IdleFetches>({
  id: '10-in-the-wild/1-idle-fetches',
  check(fetches) {
    const cases: [maxWaitMs: number, brokers: number][] = [
      [500, 1],
      [5_000, 1],
      [500, 3],
      [7_200_000, 2],
    ];
    for (const [maxWaitMs, brokers] of cases) {
      const right = myIdleFetches(maxWaitMs, brokers);
      const got = fetches(maxWaitMs, brokers);
      const where = `For max.wait ${maxWaitMs} ms and ${brokers} broker${brokers > 1 ? 's' : ''}`;
      assert.ok(Number.isFinite(got), `${where} it gave ${got}: expected a number.`);
      assert.ok(
        got >= brokers,
        `${where} it gave ${number(got)}: one is sent at once to each broker, however long it waits.`,
      );
      assert.ok(Math.abs(got - right) <= brokers, `${where}: expected ${number(right)} fetches, got ${number(got)}.`);
    }
    return 'A thousand such consumers with the default wait send two thousand requests a second, for nothing.';
  },
  hint: 'An hour has 3,600,000 ms. At each broker, the next fetch goes out when the last one is over. Math.ceil counts the one that is still held.',
  solution: { file: FILE, region: 'idle-fetches' },
});

// #region idle-fetches
export const myIdleFetches: IdleFetches = (maxWaitMs, brokers) => brokers * Math.ceil(3_600_000 / maxWaitMs);
// #endregion

/** 2. How many connections a pool needs that blocking workers share with others. */
export const poolSize = exercise<number>({
  id: '10-in-the-wild/2-pool-size',
  check(answer) {
    assert.notEqual(answer, 6, '6 is the pool of the experiment, and it starved.');
    assert.notEqual(answer, 8, 'With 8, the workers may hold all of them: a quick command waits.');
    assert.notEqual(answer, 9, 'With 9, one quick command gets through at a time: the other three wait for it.');
    assert.ok(answer >= SMALLEST, `${answer} is too few: count everyone who may hold a connection at the same time.`);
    assert.ok(answer <= SMALLEST, `${answer} is enough, and more than it needs.`);
    return 'And with each new worker it has to grow: so give the workers connections of their own instead.';
  },
  hint: 'A worker holds its connection at nearly all times. How many are left for the quick commands, and how many come at a time?',
  solution: { file: FILE, region: 'pool-size' },
});

// #region pool-size
const [workers, quick] = [8, 4];
export const SMALLEST = workers + quick;
// #endregion
