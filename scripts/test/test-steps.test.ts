import { expect, test } from 'vitest';
import { countNotebooks, countVitest } from './test-steps.js';

const report = (statuses: string[]) => ({
  numPassedTests: statuses.filter((status) => status === 'passed').length,
  numFailedTests: statuses.filter((status) => status === 'failed').length,
  testResults: [{ assertionResults: statuses.map((status, index) => ({ fullName: `test ${index}`, status })) }],
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
