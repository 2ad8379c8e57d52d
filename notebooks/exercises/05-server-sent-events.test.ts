import { once } from 'node:events';
import type { EventSource } from 'eventsource';
import { describe, expect, it } from 'vitest';
import { myRetry, mySettle, polledPerStreamed, quietDay, scatter, settled } from './05-server-sent-events.js';
import { withServer } from './with-server.js';

withServer();

describe('1, settled', () => {
  const end = (source: EventSource, name: string) => once(source, name).then(([{ data }]) => JSON.parse(data));

  it('takes the solution that it shows', async () => {
    expect((await settled.verdict(mySettle)).text).toBe('✓ Solved. It settles, and it leaves no stream behind.');
  });
  it('sees one that waits for onmessage', async () => {
    const deaf = (source: EventSource) =>
      new Promise((resolve) => {
        source.onmessage = resolve;
      });
    expect((await settled.verdict(deaf)).text).toMatch(/succeeds, the promise did not settle/);
  }, 20_000);
  it('sees one that leaves its source open', async () => {
    const open = (source: EventSource) =>
      Promise.race([
        end(source, 'succeeded').then(({ result }) => result),
        end(source, 'failed').then(() => Promise.reject(new Error('failed'))),
        once(source, 'error').then(() => Promise.reject(new Error('closed'))),
      ]);
    expect((await settled.verdict(open)).text).toMatch(/left open/);
  });
  it('sees one that takes a failure for an end like any other', async () => {
    const glad = async (source: EventSource) => {
      const data = await Promise.race([end(source, 'succeeded'), end(source, 'failed'), once(source, 'error')]);
      source.close();
      return data.result;
    };
    expect((await settled.verdict(glad)).text).toMatch(/failed, and the promise was not rejected/);
  });
  it('sees one that gives the whole data instead of the result', async () => {
    const whole: typeof mySettle = async (source) => {
      const failed = () => Promise.reject(new Error('it failed'));
      try {
        return await Promise.race([
          end(source, 'succeeded'),
          once(source, 'failed').then(failed),
          once(source, 'error').then(failed),
        ]);
      } finally {
        source.close();
      }
    };
    expect((await settled.verdict(whole)).text).toMatch(/Expected the job's result/);
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

describe('3, a quiet day', () => {
  it('takes the solution that it shows', async () => {
    expect((await quietDay(700).verdict(polledPerStreamed(700))).came).toBe('solved');
  });
  it.each([
    ['upside down', 3 / 350, /upside down/],
    ['off by two', 233.3, /How many polls/],
  ])('sees an answer that is %s', async (_name, answer, reason) => {
    expect((await quietDay(700).verdict(answer)).text).toMatch(reason);
  });
});
