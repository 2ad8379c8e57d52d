import { describe, expect, it } from 'vitest';
import { longPoll } from '../lessons/long-polling.js';
import { isFinal, readEvents, readStream } from '../lessons/server-sent-events.js';
import { pollUntilDone } from '../lessons/short-polling.js';
import { cheaper, fallback, myCut, myFollow } from './08-choosing.js';
import { withServer } from './with-server.js';

withServer();

describe('1, cheaper', () => {
  it('takes the solution that it shows', async () => {
    expect((await cheaper.verdict(myCut)).came).toBe('solved');
  });
  it.each([
    ['would lose events', { ...myCut, change: 'poll less often' }, /Not this change. Polls tell of a state/],
    ['looks at another column', { ...myCut, column: 'connections' }, /Not this column. Every client has one/],
    ['makes a change up', { ...myCut, change: 'buy' }, /Expected an x at the change, got one at "buy"/],
    ['is half an answer', { ...myCut, column: null }, /Expected an x at the column, got none/],
  ])('sees one that %s', async (_name, answer, reason) => {
    expect((await cheaper.verdict(answer)).text).toMatch(reason);
  });
});

type Follow = typeof myFollow;

describe('2, fallback', () => {
  const accept = { headers: { Accept: 'text/event-stream' } };
  const wrong: [name: string, follow: Follow, reason: RegExp][] = [
    ['never streams', (client, base, { links }) => longPoll(client, base + links.result, 30), /never requested/],
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
