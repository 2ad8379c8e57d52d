import { describe, expect, it } from 'vitest';
import { incidents, myCauses, myRetry, scatter } from './06-what-breaks-a-stream.js';

describe('1, incidents', () => {
  it('takes the solution that it shows', async () => {
    expect((await incidents.verdict(myCauses)).text).toMatch(/^✓ Solved\. Each report has its cause/);
  });
  it.each(Object.keys(myCauses))('sees that %s has another cause, and says what to think about', async (incident) => {
    const wrong = { ...myCauses, [incident]: 'the history is gone' };
    const reason = new RegExp(`^✗ Not yet\\. ${incident}: "the history is gone" is not it\\. .*\\?$`);
    expect((await incidents.verdict(wrong)).text).toMatch(reason);
  });
  it('sees one that is left out', async () => {
    const { e, ...rest } = myCauses;
    expect((await incidents.verdict(rest)).text).toMatch(/e: it is in no box yet/);
  });
});

describe('2, scatter', () => {
  it('takes the solution that it shows', async () => {
    expect((await scatter.verdict(myRetry)).text).toMatch(/^✓ Solved\. At most \d+ of 1000/);
  });
  it.each([
    ['is the same for all', () => 1_000, /1000 of them come within 100 ms/],
    ['is not scattered enough', () => Math.round(500 + Math.random() * 1_000), /there is room for 50/],
    ['is too long', () => Math.round(Math.random() * 9_000), /more than 4000/],
    ['is no whole number', () => Math.random() * 4_000, /not all digits/],
  ])('sees one that %s', async (_name, retry, reason) => {
    expect((await scatter.verdict(retry)).text).toMatch(reason);
  });
});
