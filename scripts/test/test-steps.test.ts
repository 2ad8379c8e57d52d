import { expect, test } from 'vitest';
import { countNotebooks, countVitest, filesToRunAgain, joinTries } from './test-steps.js';

const report = (statuses: string[]) => ({
  numPassedTests: statuses.filter((status) => status === 'passed').length,
  numFailedTests: statuses.filter((status) => status === 'failed').length,
  testResults: [
    {
      name: '/a.test.ts',
      status: statuses.includes('failed') ? 'failed' : 'passed',
      assertionResults: statuses.map((status, index) => ({ fullName: `test ${index}`, status })),
    },
  ],
});

test('counts what vitest reports, and names what it skipped; a plan is not counted', () => {
  expect(countVitest(report(['passed', 'failed', 'pending', 'passed', 'todo', 'skipped']), 1)).toEqual({
    passed: 2,
    failed: 1,
    skipped: ['test 2', 'test 5'],
  });
});

test.each([
  ['no report', null, 0],
  ['no report and a failure', null, 1],
  ['no test', report([]), 0],
  ['a failure outside any test', report(['passed']), 1],
])('%s is a failure', (_, given, code) => {
  expect(countVitest(given, code).failed).toBe(1);
});

test('a run of notebooks fails without a notebook, and where it says so', () => {
  expect(countNotebooks({ passed: 3, failed: 0 }, 0)).toEqual({ passed: 3, failed: 0, skipped: [] });
  expect(countNotebooks({ passed: 3, failed: 2 }, 1).failed).toBe(2);
  expect(countNotebooks({ passed: 3, failed: 0 }, 1).failed).toBe(1);
  expect(countNotebooks({ passed: 0, failed: 0 }, 0).failed).toBe(1);
  expect(countNotebooks(null, 0).failed).toBe(1);
});

test('a failed test that passes alone is counted as passed, and named', () => {
  const first = report(['passed', 'failed']);
  expect(filesToRunAgain(first)).toEqual(['/a.test.ts']);
  expect(joinTries(first, report(['passed', 'passed']), 0)).toEqual({
    passed: 2,
    failed: 0,
    skipped: [],
    flaky: ['test 1'],
  });
});

test.each([
  ['fails again', report(['passed', 'failed']), 1],
  ['fails otherwise', report(['failed', 'passed']), 1],
  ['leaves an error that nobody awaited', report(['passed', 'passed']), 1],
  ['gives no report', null, 1],
])('a failed test whose second try %s has failed', (_, again, code) => {
  const { failed, flaky } = joinTries(report(['passed', 'failed']), again, code);
  expect({ failed, flaky }).toEqual({ failed: 1, flaky: undefined });
});

test('nothing is run again where a file did not load, where many fail, and where nothing did', () => {
  const unloaded = { ...report([]), testResults: [{ name: '/b.test.ts', status: 'failed', assertionResults: [] }] };
  const failed = report(['failed']);
  const many = { ...failed, testResults: Array(4).fill(failed.testResults[0]) };
  for (const none of [unloaded, many, report(['passed']), null]) expect(filesToRunAgain(none)).toEqual([]);
});
