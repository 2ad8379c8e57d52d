import { describe, expect, it } from 'vitest';
import { follower, myFollow, myReports, reports } from './09-more-than-one-server.js';

type Follow = typeof myFollow;

describe('1, reports', () => {
  it('takes the solution that it shows', async () => {
    expect((await reports.verdict(myReports)).text).toMatch(/^✓ Solved\. Each report has its cause/);
  });
  it.each(Object.keys(myReports))('sees that %s has another cause, and says what to think about', async (report) => {
    const wrong = { ...myReports, [report]: 'the replica was behind' };
    const reason = new RegExp(`^✗ Not yet\\. ${report}: "the replica was behind" is not it\\. .*\\?$`);
    expect((await reports.verdict(wrong)).text).toMatch(reason);
  });
  it('sees one that is left out', async () => {
    const { e, ...rest } = myReports;
    expect((await reports.verdict(rest)).text).toMatch(/e: it is in no box yet/);
  });
});

describe('2, follower', () => {
  it('takes the solution that it shows', async () => {
    expect((await follower.verdict(myFollow)).text).toMatch(/^✓ Solved\. Nothing is lost/);
  });
  const wrong: [string, Follow, RegExp][] = [
    [
      'reads first and then subscribes',
      async (source, after, handle) => {
        for (const event of await source.readAfter(after)) handle(event);
        source.subscribe(handle);
      },
      /event 7 was never handled/,
    ],
    [
      'subscribes first, and handles everything at once',
      async (source, after, handle) => {
        source.subscribe(handle);
        for (const event of await source.readAfter(after)) handle(event);
      },
      /event 6 was handled twice/,
    ],
    [
      'skips what it has, and forgets the order',
      async (source, after, handle) => {
        const seen = new Set<number>();
        const take = (event: { seq: number }) => {
          if (seen.has(event.seq)) return;
          seen.add(event.seq);
          handle(event);
        };
        source.subscribe(take);
        for (const event of await source.readAfter(after)) take(event);
      },
      /the order was 6, 7, 1/,
    ],
    [
      'ignores the cursor',
      async (source, _after, handle) => myFollow(source, 0, handle),
      /the cursor at 3, event 1 was handled: the client has it already/,
    ],
    [
      'reads the log only',
      async (source, after, handle) => {
        for (const event of await source.readAfter(after)) handle(event);
      },
      /event 7 was never handled/,
    ],
  ];
  it.each(wrong)('sees one that %s', async (_name, follow, reason) => {
    expect((await follower.verdict(follow)).text).toMatch(reason);
  });
});
