import { describe, expect, it } from 'vitest';
import { budget, crossing, myCrossing, shortestIntervalS } from './12-what-waiting-costs.js';

describe('1, budget', () => {
  it('takes the solution that it shows', async () => {
    expect(shortestIntervalS(0.1)).toBe(4);
    expect((await budget(0.1).verdict(shortestIntervalS(0.1))).text).toMatch(/^✓ Solved\. One poll of each takes 2 s/);
  });
  it.each([
    ['forgets that half of the core is to stay free', 2, /busy all the time/],
    ['halves where it should double', 1, /factor of 4/],
    ['is in milliseconds', 4_000, /factor of 1000/],
    ['is something else', 7, /How long is the core busy/],
  ])('sees one that %s', async (_name, answer, reason) => {
    expect((await budget(0.1).verdict(answer)).text).toMatch(reason);
  });
});

describe('2, crossing', () => {
  it('takes the solution that it shows', async () => {
    expect(myCrossing(60, 300)).toBe(48);
    expect((await crossing.verdict(myCrossing)).came).toBe('solved');
  });
  it.each([
    ['forgets the heartbeats', (pollS: number) => 3_600 / pollS, /expected 48 events per hour, got 60/],
    [
      'goes below nothing',
      (poll: number, beat: number) => 3_600 / poll - 3_600 / beat,
      /never better there, so return 0/,
    ],
    ['counts in minutes', (poll: number, beat: number) => Math.max(0, 60 / poll - 60 / beat), /got 0\.8/],
    ['gives no number', () => Number.NaN, /expected a number/],
  ])('sees one that %s', async (_name, answer, reason) => {
    expect((await crossing.verdict(answer)).text).toMatch(reason);
  });
});
