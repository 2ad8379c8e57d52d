import { once } from 'node:events';
import type { EventSource } from 'eventsource';
import { describe, expect, it } from 'vitest';
import { type Frame, myFrame, mySettle, repaired, settled } from './05-server-sent-events.js';
import { withServer } from './with-server.js';

withServer();

describe('1, settled', () => {
  const end = (source: EventSource, name: string) => once(source, name).then(([{ data }]) => JSON.parse(data));

  it('takes the solution that it shows', async () => {
    expect((await settled.verdict(mySettle)).text).toBe('✓ Solved. It settles, and it leaves no stream behind.');
  });
  it('shows a solution that rejects when the data is not JSON', async () => {
    const source = Object.assign(new EventTarget(), { close: () => {} });
    const settling = mySettle(source as unknown as EventSource);
    source.dispatchEvent(new MessageEvent('succeeded', { data: 'not JSON' }));
    await expect(settling).rejects.toThrow(SyntaxError);
  });
  it('sees one that waits for onmessage', async () => {
    const byOnmessage = (source: EventSource) =>
      new Promise((resolve) => {
        source.onmessage = resolve;
      });
    expect((await settled.verdict(byOnmessage)).text).toMatch(/succeeds, the promise did not settle/);
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
    const ignoringFailure = async (source: EventSource) => {
      const data = await Promise.race([end(source, 'succeeded'), end(source, 'failed'), once(source, 'error')]);
      source.close();
      return data.result;
    };
    expect((await settled.verdict(ignoringFailure)).text).toMatch(/failed, and the promise was not rejected/);
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

describe('2, repaired', () => {
  it('takes the solution that it shows', async () => {
    expect((await repaired.verdict(myFrame)).text).toMatch(/^✓ Solved\. Every text comes back/);
  });
  const framed =
    (data: (text: string) => string): Frame =>
    ({ id, event, text }) =>
      `id: ${id}\nevent: ${event}\n${data(text)}\n\n`;
  const lines = (text: string, end: RegExp | string) =>
    text
      .split(end)
      .map((line) => `data: ${line}`)
      .join('\n');
  it.each<[string, Frame, RegExp]>([
    ['is as it was', framed((text) => `data: ${text}`), /two lines.*a reader had \{.*"first"/],
    ['splits at LF only', framed((text) => lines(text, '\n')), /with CR between/],
    ['puts JSON in', framed((text) => `data: ${JSON.stringify(text)}`), /For a text of one line/],
    ['trims', framed((text) => lines(text.trim(), /\r\n|\r|\n/)), /ends with a line break/],
    [
      'leaves the space after the colon out',
      framed((text) => lines(text, /\r\n?|\n/).replaceAll('data: ', 'data:')),
      /begins with a space/,
    ],
    ['sends nothing of an empty text', framed((text) => text && lines(text, /\r\n?|\n/)), /that is empty.*1 event/],
    ['forgets the empty line', (message) => myFrame(message).trimEnd(), /0 events/],
  ])('sees one that %s', async (_name, frame, reason) => {
    expect((await repaired.verdict(frame)).text).toMatch(reason);
  });
});
