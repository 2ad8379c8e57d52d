import { describe, expect, it } from 'vitest';
import { myNext, myVerdicts, nextRequest, verdicts } from './11-streams-over-post.js';

describe('1, the next request', () => {
  it('takes the solution that it shows', async () => {
    expect((await nextRequest.verdict(myNext)).text).toMatch(/^✓ Solved\. A repeated POST only/);
  });
  it.each<[string, typeof myNext, RegExp]>([
    [
      'gets before there is a job',
      (known) => ({ ...myNext(known), method: 'GET' }),
      /does not know whether there is a job/,
    ],
    ['forgets the key', (known) => ({ ...myNext(known), headers: {} }), /may make another job/],
    [
      'posts again',
      ({ jobsUrl, key }) => myNext({ jobsUrl, key, location: '', cursor: '' }),
      /would only repeat the submit/,
    ],
    ['gets the job', (known) => ({ ...myNext(known), url: known.location || known.jobsUrl }), /42\/events, got .*42\./],
    ['forgets the cursor', (known) => myNext({ ...known, cursor: '' }), /all events come once more/],
    [
      'makes up a cursor',
      (known) => ({ ...myNext(known), headers: { ...myNext(known).headers, 'last-event-id': known.cursor || '0' } }),
      /there is no cursor; got Last-Event-ID "0"/,
    ],
  ])('sees one that %s', async (_name, next, reason) => {
    expect((await nextRequest.verdict(next)).text).toMatch(reason);
  });
});

describe('2, verdicts', () => {
  it('takes the solution that it shows', async () => {
    expect((await verdicts.verdict(myVerdicts)).text).toMatch(/^✓ Solved\. A new key is never right/);
  });
  it.each(Object.keys(myVerdicts))('sees that %s needs another one, and says what to think about', async (service) => {
    const wrong = { ...myVerdicts, [service]: 'the same POST with a new key' };
    const reason = new RegExp(`^✗ Not yet\\. ${service}: "the same POST with a new key" is not it\\. .*\\?$`);
    expect((await verdicts.verdict(wrong)).text).toMatch(reason);
  });
  it('sees one that is left out', async () => {
    const { d, ...rest } = myVerdicts;
    expect((await verdicts.verdict(rest)).text).toMatch(/d: it is in no box yet/);
  });
});
