import { describe, expect, it } from 'vitest';
import { type Holders, holders, myHolders, myRemedies, remedies } from './13-your-own.js';

const sentAt = ({ startedAt, blockedMs }: Parameters<Holders>[0]) => startedAt + (blockedMs ?? 0);

describe('1, holders', () => {
  it('takes the solution that it shows', async () => {
    expect((await holders.verdict(myHolders)).text).toMatch(/^✓ Solved\. Where six requests/);
  });
  it.each<[string, Holders, RegExp]>([
    ['takes all of the host', (_waiting, all) => [...all], /The request that waits is in the list/],
    [
      'forgets that requests end',
      (waiting, all) => all.filter((row) => row !== waiting && sentAt(row) <= waiting.startedAt),
      /\/early held none, and is in the list\. It had ended/,
    ],
    [
      'takes those that wait for those that were sent',
      (waiting, all) =>
        all.filter((row) => row !== waiting && row.startedAt <= waiting.startedAt && row.endedAt > waiting.startedAt),
      /\/also-waiting held none/,
    ],
    [
      'leaves out those that had to wait themselves',
      (waiting, all) => myHolders(waiting, all).filter(({ blockedMs }) => !blockedMs),
      /\/sent-late held a connection, and is missing/,
    ],
    [
      'counts with null',
      (waiting, all) => myHolders(waiting, all).filter(({ blockedMs }) => blockedMs !== null),
      /\/untold held a connection, and is missing\. Its blockedMs is null/,
    ],
    [
      'forgets the host',
      (waiting, all) =>
        all.filter((row) => row !== waiting && sentAt(row) <= waiting.startedAt && row.endedAt > waiting.startedAt),
      /\/elsewhere held none, and is in the list\. It went to another host/,
    ],
  ])('sees one that %s', async (_name, find, reason) => {
    expect((await holders.verdict(find)).text).toMatch(reason);
  });
});

describe('2, remedies', () => {
  it('takes the solution that it shows', async () => {
    expect((await remedies.verdict(myRemedies)).text).toMatch(/^✓ Solved\. A lower "retry"/);
  });
  it.each(Object.keys(myRemedies))('sees that %s needs another fix, and says what to think about', async (letter) => {
    const wrong = { ...myRemedies, [letter]: 'give the server more memory' };
    const reason = new RegExp(`^✗ Not yet\\. ${letter}: "give the server more memory" is not it\\. .*\\?$`);
    expect((await remedies.verdict(wrong)).text).toMatch(reason);
  });
  it('sees one that is left out', async () => {
    const { e, ...rest } = myRemedies;
    expect((await remedies.verdict(rest)).text).toMatch(/e: it is in no box yet/);
  });
});
