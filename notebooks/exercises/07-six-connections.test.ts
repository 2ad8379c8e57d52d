import type { EventSource } from 'eventsource';
import { describe, expect, it, vi } from 'vitest';
import { myOpens, myPool, myShare, type Opening, opens, pool, type Share, shared } from './07-six-connections.js';
import { withServer } from './with-server.js';

withServer();

describe('1, pool', () => {
  it('takes the solution that it shows', async () => {
    expect((await pool.verdict(myPool)).text).toBe('✓ Solved. First come, first served, and never more than six.');
  });
  it('sees one without a limit', async () => {
    expect((await pool.verdict(() => ({ take: async () => () => {} }))).text).toMatch(/8 were taken at the same time/);
  });
  it('sees one that never hands a slot on', async () => {
    const withoutRelease = (most: number) => {
      let taken = 0;
      return { take: () => (taken++ < most ? Promise.resolve(() => {}) : new Promise<never>(() => {})) };
    };
    expect((await pool.verdict(withoutRelease)).text).toMatch(/released, and 0 of the two/);
  });
  it.each([
    ['serves the last one first', 'pop', /order 1, 2, 3, 4, 5, 6, 8/],
    ['counts a slot twice', 'shift', /released twice/],
  ] as const)('sees one that %s', async (_name, next, reason) => {
    const wrong = (most: number) => {
      let taken = 0;
      const waiting: (() => void)[] = [];
      return {
        async take() {
          if (taken < most) taken += 1;
          else await new Promise<void>((resolve) => waiting.push(resolve));
          return () => {
            const one = waiting[next]();
            if (one) one();
            else taken -= 1;
          };
        },
      };
    };
    expect((await pool.verdict(wrong)).text).toMatch(reason);
  });
});

describe('2, opens', () => {
  it('takes the solution that it shows', async () => {
    expect((await opens.verdict(myOpens)).came).toBe('solved');
  });
  it.each<[string, (openings: Opening[]) => number, RegExp]>([
    ['knows no limit', (all) => all.length, /Of eight streams of one host, 6/],
    ['knows no pools', (all) => Math.min(6, all.length), /Of eight streams to each of two ports, 12/],
    [
      'forgets private windows and WebSockets',
      (all) => myOpens(all.map(({ url, kind }) => ({ url, kind }))),
      /private window, 12/,
    ],
    [
      'counts WebSockets in',
      (all) => myOpens(all.map((one) => ({ ...one, url: one.url.replace('ws', 'http'), kind: 'long-poll' }))),
      /WebSockets, 9/,
    ],
  ])('sees one that %s', async (_name, count, reason) => {
    expect((await opens.verdict(count)).text).toMatch(reason);
  });
});

describe('3, shared', () => {
  it('takes the solution that it shows', async () => {
    expect((await shared.verdict(myShare)).text).toBe('✓ Solved. Eight jobs, one stream; and none without followers.');
  });
  it('shows a solution that loses nothing while its stream is closed, and leaves no timer behind', () => {
    vi.useFakeTimers();
    const opened: (EventTarget & { cursor: string; readyState: number })[] = [];
    const follow = myShare((cursor = '') => {
      const source = Object.assign(new EventTarget(), {
        ...{ cursor, readyState: 1, CLOSED: 2 },
        close: () => Object.assign(source, { readyState: 2 }),
      });
      opened.push(source);
      return source as unknown as EventSource;
    });
    const says = (type: string, id: string, jobId?: string) =>
      opened.at(-1)!.dispatchEvent(new MessageEvent(type, { data: JSON.stringify({ jobId }), lastEventId: id }));
    const refuse = () => Object.assign(opened.at(-1)!, { readyState: 2 }).dispatchEvent(new Event('error'));
    const heard: string[] = [];
    const leave = follow('a', (event) => heard.push(event));
    says('position', 'x-1');
    refuse();
    vi.advanceTimersByTime(1_500);
    says('progress', 'x-2', 'a');
    refuse();
    vi.advanceTimersByTime(3_000);
    refuse();
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1_500); // too early: it backs off
    expect(opened.map(({ cursor }) => cursor)).toEqual(['', 'x-1', 'x-2']);
    leave();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    expect(heard).toEqual(['progress']);
  });

  const each: Share = (open) => (jobId, listener) => {
    const source = open();
    source.addEventListener('progress', ({ data }) => JSON.parse(data).jobId === jobId && listener('progress'));
    return () => source.close();
  };
  const broadcast: Share = (open) => {
    const listeners = new Set<(event: string) => void>();
    let source: ReturnType<typeof open> | null = null;
    return (_jobId, listener) => {
      if (!source) {
        source = open();
        for (const event of ['progress', 'succeeded'])
          source.addEventListener(event, () => {
            for (const one of listeners) one(event);
          });
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) source?.close();
      };
    };
  };
  const eager: Share = (open) => {
    open();
    return () => () => {};
  };
  const single: Share = (open) => {
    const listeners = new Map<string, (event: string) => void>();
    let source: ReturnType<typeof open> | null = null;
    return (jobId, listener) => {
      if (!source) {
        source = open();
        for (const event of ['progress', 'succeeded'])
          source.addEventListener(event, ({ data }) => listeners.get(JSON.parse(data).jobId)?.(event));
      }
      listeners.set(jobId, listener);
      return () => {
        listeners.delete(jobId);
        if (listeners.size === 0) source?.close();
      };
    };
  };
  const closing: Share = (open) => {
    let source: ReturnType<typeof open> | null = null;
    return () => {
      source ??= open();
      return () => source?.close();
    };
  };
  it.each([
    ['opens a stream for each', each, /Eight jobs need one stream, and \d+ were opened/],
    ['opens one without a follower', eager, /before there was a follower/],
    ['tells everybody everything', broadcast, /of its own job/],
    ['closes with the first that leaves', closing, /seven stay/],
    ['keeps one follower a job', single, /One of the seven heard|A job had two followers/],
  ])(
    'sees one that %s',
    async (_name, share, reason) => {
      expect((await shared.verdict(share)).text).toMatch(reason);
    },
    20_000,
  );
});
