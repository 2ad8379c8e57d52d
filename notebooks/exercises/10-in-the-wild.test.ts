import { describe, expect, it } from 'vitest';
import { idleFetches, myIdleFetches, poolSize, SMALLEST } from './10-in-the-wild.js';

describe('1, idle fetches', () => {
  it('takes the solution that it shows', async () => {
    expect(myIdleFetches(500, 3)).toBe(21_600);
    expect((await idleFetches.verdict(myIdleFetches)).came).toBe('solved');
  });
  it.each([
    ['forgets the brokers', (ms: number) => 3_600_000 / ms, /3 brokers: expected 21,600 fetches, got 7,200/],
    ['counts in seconds', (ms: number, n: number) => (n * 3_600) / ms, /it gave 7\.2|expected 7,200/],
    ['sends none while one is held', (ms: number, n: number) => n * Math.floor(3_600_000 / ms), /one is sent at once/],
    ['gives no number', () => Number.NaN, /expected a number/],
  ])('sees one that %s', async (_name, answer, reason) => {
    expect((await idleFetches.verdict(answer)).text).toMatch(reason);
  });
});

describe('2, pool size', () => {
  it('takes the solution that it shows', async () => {
    expect((await poolSize.verdict(SMALLEST)).came).toBe('solved');
  });
  it.each([
    [6, /it starved/],
    [8, /may hold all/],
    [9, /one quick command gets through/],
    [11, /too few/],
    [20, /more than it needs/],
  ])('sees %d', async (answer, reason) => {
    expect((await poolSize.verdict(answer)).text).toMatch(reason);
  });
});
