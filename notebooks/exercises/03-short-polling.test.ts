import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { conditional, myDelay, myLoop, polite } from './03-short-polling.js';
import { withServer } from './with-server.js';

withServer();

type Loop = typeof myLoop;

describe('1, conditional', () => {
  const plain: Loop = async (client, jobUrl, intervalMs) => {
    for (;;) {
      const job = (await (await client(jobUrl)).json()) as Awaited<ReturnType<Loop>>;
      if (job.finishedAt) return job;
      await sleep(intervalMs);
    }
  };
  const stale: Loop = async (client, jobUrl, intervalMs) => {
    for (let etag = ''; ; await sleep(intervalMs)) {
      const response = await client(jobUrl, { headers: etag ? { 'If-None-Match': etag } : {} });
      etag ||= response.headers.get('etag') ?? '';
      if (response.status === 304) continue;
      const job = (await response.json()) as Awaited<ReturnType<Loop>>;
      if (job.finishedAt) return job;
    }
  };

  it('takes the solution that it shows', async () => {
    expect((await conditional.verdict(myLoop)).text).toMatch(/^✓ Solved\. \d+ of \d+ polls/);
  });
  it('sees a loop that never sends If-None-Match', async () => {
    expect((await conditional.verdict(plain)).text).toMatch(/the server never saw If-None-Match/);
  });
  it('sees one that keeps to its first ETag', async () => {
    expect((await conditional.verdict(stale)).text).toMatch(/send the newest ETag/);
  });
  it('sees one that returns nothing', async () => {
    const nothing = (async () => undefined) as unknown as Loop;
    expect((await conditional.verdict(nothing)).text).toMatch(/Expected the finished job, got nothing/);
  });
});

describe('2, polite', () => {
  type Told = { headers: { get(name: string): string | null } };
  const told = ({ headers }: Told) => Number(headers.get('retry-after') ?? 1) * 1_000;

  it('takes the solution that it shows', async () => {
    expect((await polite.verdict(myDelay)).text).toBe('✓ Solved. Never early, and never all at the same time.');
  });
  it.each([
    ['comes early', () => 500, /too early/],
    ['has no jitter', (_: number, answer: Told) => (Number.isNaN(told(answer)) ? 1_000 : told(answer)), /all alike/],
    [
      'takes what is missing for 0',
      (_: number, { headers }: Told) => Number(headers.get('retry-after')) * 1_000 * (1 + Math.random() / 4),
      /For no Retry-After it returned 0 ms: that is too early/,
    ],
    [
      'cannot bear nonsense',
      (_: number, answer: Told) => told(answer) * (1 + Math.random() / 4),
      /soon it returned NaN/,
    ],
    ['waits too long', (_: number, answer: Told) => myDelay(0, answer as never) * 3 + 1_000, /more than 25 %/],
  ])('sees one that %s', async (_name, delay, reason) => {
    expect((await polite.verdict(delay)).text).toMatch(reason);
  });
});
