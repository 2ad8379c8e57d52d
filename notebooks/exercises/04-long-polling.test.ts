import { setTimeout as sleep } from 'node:timers/promises';
import { type BodyInit, Response } from 'node-fetch';
import { describe, expect, it } from 'vitest';
import { asFresh, myConsumer, myWait, persistent, resumable, timesTheRequests } from './04-long-polling.js';
import { withServer } from './with-server.js';

withServer();

describe.concurrent('1, persistent', () => {
  type Wait = typeof myWait;
  /** As the solution, but for one thing. */
  const variant =
    ({
      most = 3,
      inARow = true,
      prefer = true,
      retriesAnswers = false,
      quiet = false,
      pauseMs = 60,
      fallsBack = true,
      measures = true,
      busyIsCut = true,
    }): Wait =>
    async (client, resultUrl, waitS) => {
      const headers: Record<string, string> = prefer ? { Prefer: `wait=${waitS}` } : {};
      for (let cuts = 0; ; ) {
        try {
          const began = performance.now();
          const response = await client(resultUrl, { headers });
          if (busyIsCut && response.status === 503) throw new Error('busy');
          if (response.status === 200) return await response.json();
          if (response.status !== 202) throw Object.assign(new Error('refused'), { refused: true });
          await response.text();
          if (inARow) cuts = 0;
          const waited = response.headers.has('preference-applied') && (!measures || performance.now() - began > 900);
          if (!prefer || (fallsBack && !waited)) await sleep(300);
        } catch (error) {
          if ((error as { refused?: boolean }).refused && !retriesAnswers) throw error;
          cuts += 1;
          if (cuts === most && quiet) return undefined;
          if (cuts === most) throw error;
          await sleep(pauseMs);
        }
      }
    };

  it('takes the solution that it shows', async () => {
    expect((await persistent.verdict(myWait)).text).toMatch(/^✓ Solved\. 4 cuts survived/);
  });
  it('takes another right one', async () => {
    expect((await persistent.verdict(variant({}))).came).toBe('solved');
  });
  it.each([
    ['throws at the first cut', { most: 1 }, /After 1 cuts, never three in a row, it threw/],
    ['counts all cuts', { inARow: false }, /never three in a row, it threw/],
    ['gives up later', { most: 5 }, /asked 5 times: expected 3/],
    ['polls', { prefer: false }, /no "Prefer: wait"/],
    ['asks again after a 404', { retriesAnswers: true }, /A 404 is an answer/],
    ['gives up without a word', { quiet: true }, /it returned: expected it to throw/],
    ['asks again immediately', { pauseMs: 0 }, /After a cut it asked again within \d+ ms/],
    ['takes every 202 for a wait', { fallsBack: false }, /A proxy dropped its Prefer, and it asked \d+ times/],
    ['believes the header', { measures: false }, /The server granted a wait of 0 s, and it asked \d+ times/],
    ['throws at a 503', { busyIsCut: false }, /A 503 counts as a cut. After 1, it threw: refused/],
  ])('sees one that %s', async (_name, how, reason) => {
    expect((await persistent.verdict(variant(how))).text).toMatch(reason);
  });
});

describe('2, as fresh', () => {
  const lateMs = 3.4;
  it('takes the solution that it shows', async () => {
    expect((await asFresh(lateMs).verdict(timesTheRequests(lateMs))).came).toBe('solved');
  });
  it('takes one that was rounded', async () => {
    expect((await asFresh(lateMs).verdict(Math.round(timesTheRequests(lateMs)))).came).toBe('solved');
  });
  it.each([
    ['seconds for milliseconds', 1 / 1_000, /mixes seconds and milliseconds/],
    ['an interval equal to the lateness', 2, /late by half its interval/],
    ['half the lateness as the interval', 4, /not it/],
    ['another wait', 0.5, /not it/],
  ])('sees an answer with %s', async (_name, factor, reason) => {
    expect((await asFresh(lateMs).verdict(timesTheRequests(lateMs) * factor)).text).toMatch(reason);
  });
});

describe.concurrent('3, resumable', () => {
  type Consumer = typeof myConsumer;
  const ENDS = ['succeeded', 'failed', 'cancelled'];
  /** As the solution, but that the cursor moves at another moment. */
  const moving =
    (when: 'before' | 'each' | 'batch' | 'never', pausesMs = 0): Consumer =>
    async (client, eventsUrl, saved, handle) => {
      const headers = { Accept: 'application/json', Prefer: 'wait=30' };
      for (;;) {
        const after = saved.cursor ? `?after=${saved.cursor}` : '';
        const response = await client(eventsUrl + after, { headers });
        const { events, next } = (await response.json()) as {
          events: Parameters<Parameters<Consumer>[3]>[0][];
          next: string;
        };
        for (const event of events) {
          if (when === 'before') saved.cursor = event.id;
          await handle(event);
          if (when === 'each') saved.cursor = event.id;
        }
        if (when === 'batch') saved.cursor = next;
        if (events.some(({ event }) => ENDS.includes(event))) return;
        if (!response.headers.has('preference-applied')) await sleep(pausesMs);
      }
    };

  /** The solution, over a line that changes answers: it cannot see what the line hides. */
  const over =
    (change: (method: string, text: string) => { status: number; body: BodyInit | null } | null): Consumer =>
    (client, eventsUrl, saved, handle) => {
      const line = (async (to, init) => {
        const response = await client(to, init);
        const { status, headers } = response;
        const text = await response.text();
        const { status: newStatus, body } = change(init?.method ?? 'GET', text) ?? { status, body: text || null };
        return new Response(body, { status: newStatus, headers });
      }) as typeof client;
      return myConsumer(line, eventsUrl, saved, handle);
    };
  const neverPastEnd = over((method) => (method === 'HEAD' ? { status: 200, body: null } : null));
  const blindToGaps = over((method, text) => {
    if (method === 'HEAD') return null;
    return { status: 200, body: text.replace('"gap":', '"hidden":') };
  });

  it('takes the solution that it shows', async () => {
    expect((await resumable.verdict(myConsumer)).text).toMatch(/^✓ Solved\. Stopped \d+ times/);
  });
  it.each([
    ['moves the cursor too early', moving('before'), /past an event that was not handled/],
    ['moves it a batch at a time', moving('batch'), /came again/],
    ['takes every answer for a wait', moving('each'), /A proxy dropped its Prefer, and it asked \d+ times/],
    ['believes the header', moving('each', 300), /The server granted a wait of 0 s, and it asked \d+ times/],
    [
      'asks forever past the end',
      neverPastEnd,
      /once more after the end of the job, it did not return: it asked more than 20 times/,
    ],
    ['does not look for a gap', blindToGaps, /events are lost \(gap\), and it went on/],
    ['saves no cursor', moving('never'), /came again|does it save its cursor/],
    ['has an error of its own', (async () => Promise.reject(new Error('a slip'))) as Consumer, /a slip/],
    ['does nothing', (async () => {}) as Consumer, /0 of 15 events/],
  ])('sees one that %s', async (_name, consumer, reason) => {
    expect((await resumable.verdict(consumer)).text).toMatch(reason);
  });
});
