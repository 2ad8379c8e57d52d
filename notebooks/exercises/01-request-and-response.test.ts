import { Response } from 'node-fetch';
import { describe, expect, it } from 'vitest';
import { myAsk, rightToWait, sorted, withinPatience } from './01-request-and-response.js';
import { withServer } from './with-server.js';

withServer();

type Ask = typeof myAsk;

describe('1, within patience', () => {
  /** A client that asks to be held for so long, and takes whatever comes as the result. */
  const asking =
    (waitOf: (patienceMs: number) => number | null): Ask =>
    async (client, jobsUrl, task, patienceMs) => {
      const waitS = waitOf(patienceMs);
      const headers = { 'Content-Type': 'application/json', ...(waitS !== null && { Prefer: `wait=${waitS}` }) };
      const response = await client(jobsUrl, { method: 'POST', headers, body: JSON.stringify(task) });
      return { result: await response.json() };
    };
  const below = (patienceMs: number) => Math.floor(patienceMs / 1_000) - 1;

  it('takes the solution that it shows', async () => {
    expect((await withinPatience.verdict(myAsk)).text).toBe('✓ Solved. No answer was lost, however long the job took.');
  });
  it('shows a solution that throws at a promise without an address', async () => {
    const client = (async () => new Response('{}', { status: 202 })) as Parameters<Ask>[0];
    await expect(myAsk(client, 'http://127.0.0.1/jobs', {}, 2_000)).rejects.toThrow('A 202 without a Location');
  });
  it('takes a wait in the address', async () => {
    const inAddress: Ask = (client, jobsUrl, task, patienceMs) => {
      const waiting = ((to, init) => client(`${to}?wait=${below(patienceMs)}`, init)) as typeof client;
      return myAsk(waiting, jobsUrl, task, patienceMs);
    };
    expect((await withinPatience.verdict(inAddress)).came).toBe('solved');
  });
  it.each([
    ['waits for more than it can', asking(() => 30), /come too late/],
    ['leaves a millisecond for the way', asking((ms) => Math.ceil(ms / 1_000) - 1), /come too late/],
    ['never waits', asking(() => null), /never asked the server to wait/],
    ['waits for less than it could', asking((ms) => Math.floor(ms / 2_000)), /asked to be held for 10 s/],
    ['takes a promise for the result', asking(below), /expected \{ location \}/],
  ])('sees one that %s', async (_name, ask, reason) => {
    expect((await withinPatience.verdict(ask)).text).toMatch(reason);
  });
  it('sees one that makes up an address', async () => {
    const invents: Ask = async (...all) => {
      const outcome = await myAsk(...all);
      return 'location' in outcome ? { location: '/jobs/mine' } : outcome;
    };
    expect((await withinPatience.verdict(invents)).text).toMatch(/there is no job at/);
  });
  it('sees one that takes a refusal for an outcome', async () => {
    const meek: Ask = (...all) => myAsk(...all).catch(() => ({ location: '' }));
    expect((await withinPatience.verdict(meek)).text).toMatch(/expected it to throw/);
  });
  it('sees one that keeps the reason to itself', async () => {
    const terse: Ask = (...all) =>
      myAsk(...all).catch(() => {
        throw new Error('refused');
      });
    expect((await withinPatience.verdict(terse)).text).toMatch(/not the server's error message/);
  });
});

describe('2, sorted', () => {
  it('takes the solution that it shows, in any order', async () => {
    expect((await sorted.verdict(rightToWait)).came).toBe('solved');
    expect((await sorted.verdict([...rightToWait].reverse())).came).toBe('solved');
  });
  it.each([
    [['log in'], /"thumbnail": it takes less than a second/],
    [['log in', 'thumbnail', 'comment'], /"comment": other people write/],
    [['log in', 'thumbnail', 'report'], /"report": it takes longer/],
    [['login'], /"login" is none of/],
    ['log in' as unknown as string[], /Expected a list of names/],
  ])('sees that %j is wrong', async (answer, reason) => {
    expect((await sorted.verdict(answer)).text).toMatch(reason);
  });
});
