import { describe, expect, it } from 'vitest';
import { longPoll } from '../lessons/long-polling.js';
import { isFinal, readEvents, readStream } from '../lessons/server-sent-events.js';
import { pollUntilDone } from '../lessons/short-polling.js';
import { budget, crossing, fallback, myCrossing, myFollow, shortestIntervalS } from './07-choosing.js';
import { withServer } from './with-server.js';

withServer();

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
    ['forgets the heartbeats', (pollS: number) => 3_600 / pollS, /expected 48 pieces of news an hour, got 60/],
    ['goes below nothing', (poll: number, beat: number) => 3_600 / poll - 3_600 / beat, /never better there, say 0/],
    ['counts in minutes', (poll: number, beat: number) => Math.max(0, 60 / poll - 60 / beat), /got 0\.8/],
    ['gives no number', () => Number.NaN, /expected a number/],
  ])('sees one that %s', async (_name, answer, reason) => {
    expect((await crossing.verdict(answer)).text).toMatch(reason);
  });
});

type Follow = typeof myFollow;

describe('3, fallback', () => {
  const accept = { headers: { Accept: 'text/event-stream' } };
  const wrong: [name: string, follow: Follow, reason: RegExp][] = [
    ['never streams', (client, base, { links }) => longPoll(client, base + links.result, 30), /nobody asked for it/],
    [
      'asks again for what the stream has told',
      async (client, base, { links }) => {
        for await (const { event } of readStream(client, base + links.events)) if (isFinal(event)) break;
        return longPoll(client, base + links.result, 30);
      },
      /it took 2 requests/,
    ],
    [
      'does not look at the status',
      async (client, base, { links }) => {
        for await (const { event, data } of readStream(client, base + links.events))
          if (event === 'succeeded') return JSON.parse(data).result;
        return longPoll(client, base + links.result, 30);
      },
      /is refused with 503, it threw: 503: busy/,
    ],
    [
      'takes the end of a stream for the end of the job',
      async (client, base, { links }) => {
        const response = await client(base + links.events, accept);
        if (response.headers.get('content-type') !== 'text/event-stream')
          return longPoll(client, base + links.result, 30);
        for await (const { event, data } of readEvents(response.body as AsyncIterable<Uint8Array>))
          if (event === 'succeeded') return JSON.parse(data).result;
      },
      /ends before the job does, it returned undefined/,
    ],
    [
      'falls back to short polls',
      async (client, base, job) => {
        try {
          for await (const { event, data } of readStream(client, base + job.links.events))
            if (event === 'succeeded') return JSON.parse(data).result;
        } catch {}
        return (await pollUntilDone(client, base + job.links.self, 50)).result;
      },
      /did not use a long poll/,
    ],
    [
      'gives the whole data instead of the result',
      async (client, base, { links }) => {
        for await (const { event, data } of readStream(client, base + links.events))
          if (isFinal(event)) return JSON.parse(data);
      },
      /Expected the result/,
    ],
  ];
  it('takes the solution that it shows', async () => {
    expect((await fallback.verdict(myFollow)).text).toMatch(/^✓ Solved\. One request/);
  });
  it.each(wrong)('sees one that %s', async (_name, follow, reason) => {
    expect((await fallback.verdict(follow)).text).toMatch(reason);
  });
  it('sees a stream that is left open', async () => {
    const open: Follow = async (client, base, { links }) => {
      const response = await client(base + links.events, accept);
      const events = readEvents(response.body as AsyncIterable<Uint8Array>);
      for (;;) {
        const { value, done } = await events.next();
        if (done) return null;
        if (value.event === 'succeeded') return JSON.parse(value.data).result;
      }
    };
    expect((await fallback.verdict(open)).text).toMatch(/left open/);
  });
});
