import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../shared/paths.mjs';
import { judge } from '../finding.js';
import { junitReport, textReport } from '../report.js';
import { examineRecording } from './examine-recording.js';
import { parseHar } from './read-har.js';
import { asLongPolls, pollings, recordingRules } from './recording-rules.js';

const fixture = join(import.meta.dirname, 'fixtures', 'chromium.har');

/**
 * Ten polls with a token, two streams of one EventSource whose server ignores Last-Event-ID, six requests that hold the
 * connections of Chromium, and one that waits for them, as Playwright recorded them.
 */
test('a recording of Chromium', async () => {
  const examination = await examineRecording(fixture);
  expect(examination.summary).toMatch(/^A recording by Playwright .*: 20 requests to 1 host in /);
  expect(
    examination.findings.map(({ severity, rule, saw }) => [severity, rule, saw.replace(/127[.:\d]+/g, 'host')]),
  ).toEqual([
    [
      'serious',
      'recording-repeated-events',
      expect.stringMatching(/^4 events came again on a later stream of http:\/\/host\/stream/),
    ],
    [
      'warning',
      'recording-polling',
      expect.stringMatching(
        /\/state\?token=…: 10 times.*; 8 of them said nothing new; long polling would have taken about 2, a stream one\.$/,
      ),
    ],
    ['note', 'recording-streams', expect.stringContaining('/stream?access_token=…: 2 streams')],
  ]);
  for (const report of [textReport(examination), junitReport(examination), JSON.stringify(examination)]) {
    expect(report).not.toMatch(/hunter/);
  }
});

/** Eighteen polls, six streams and one of them again, as Chromium's developer tools exported them (`record-dashboard.ts`). */
test("a recording of Chromium's developer tools, and its requests in order", async () => {
  const { findings, timeline = [] } = await examineRecording(join(checkout, 'notebooks', 'media', 'dashboard.har'));
  expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual([
    'serious recording-waited',
    'warning recording-polling',
    'note recording-repeated-events',
    'note recording-streams',
  ]);
  const techniques = timeline.map(({ technique }) => technique);
  expect(
    ['short-poll', 'event-stream', 'other'].map((name) => techniques.filter((each) => each === name).length),
  ).toEqual([18, 7, 2]);
  const polls = timeline.filter(({ technique }) => technique === 'short-poll');
  expect(new Set(polls.map(({ body }) => body)).size).toBe(6);
  const waited = timeline.filter(({ blockedMs }) => (blockedMs ?? 0) > 1_000);
  expect(waited.map(({ url }) => decodeURI(new URL(url).search))).toEqual(['?limit=…', '']);
  expect(timeline.map(({ startedAt }) => startedAt)).toEqual(
    timeline.map(({ startedAt }) => startedAt).sort((a, b) => a - b),
  );
});

interface Made {
  at: number;
  ms?: number;
  path?: string;
  status?: number;
  type?: string;
  text?: string;
  blocked?: number;
  version?: string;
  request?: Record<string, string>;
  response?: Record<string, string>;
  more?: object;
}
/** An entry, with what every browser writes; `at` and `ms` are milliseconds. */
const entry = ({
  at,
  ms = 20,
  path = '/state',
  status = 200,
  type = 'application/json',
  text,
  blocked = 0,
  ...rest
}: Made) => ({
  startedDateTime: new Date(1_700_000_000_000 + at).toISOString(),
  time: ms,
  request: {
    ...{ method: 'GET', url: `http://localhost:3000${path}`, httpVersion: rest.version ?? 'http/1.1' },
    headers: Object.entries(rest.request ?? {}).map(([name, value]) => ({ name, value })),
  },
  response: {
    ...{ status, httpVersion: rest.version ?? 'http/1.1', bodySize: 10, content: { mimeType: type, text } },
    headers: Object.entries(rest.response ?? {}).map(([name, value]) => ({ name, value })),
  },
  timings: { blocked },
  ...rest.more,
});
const har = (entries: object[]) =>
  JSON.stringify({ log: { version: '1.2', creator: { name: 'test', version: '1' }, entries } });
const times = (count: number, make: (i: number) => Made) => Array.from({ length: count }, (_, i) => entry(make(i)));
const stream = { path: '/events', type: 'text/event-stream' };
const seven = (text: string) =>
  text
    .split(' ')
    .map((id) => `id: ${id}\ndata: x\n\n`)
    .join('');

test.each<[string, object[], string[]]>([
  ['polls that say nothing new', times(10, (i) => ({ at: 1_000 * i, text: '{"a":1}' })), ['warning recording-polling']],
  [
    'polls answered by 304',
    times(10, (i) => ({ at: 1_000 * i, status: i ? 304 : 200, text: i ? '' : 'x' })),
    ['warning recording-polling'],
  ],
  ['polls with news each time', times(10, (i) => ({ at: 1_000 * i, text: `{"a":${i}}` })), ['note recording-polling']],
  [
    'polls past a cache',
    times(10, (i) => ({ at: 1_000 * i, path: `/state?_=${i}`, text: 'x' })),
    ['warning recording-polling'],
  ],
  ['ten different things', times(10, (i) => ({ at: 1_000 * i, path: `/item?id=${i}`, text: 'x' })), []],
  ['polls without bodies', times(10, (i) => ({ at: 1_000 * i })), ['note recording-polling']],
  ['long polls', times(6, (i) => ({ at: 10_000 * i, ms: 9_900, text: `${i}` })), ['note recording-long-polls']],
  [
    'overlapping polls',
    times(8, (i) => ({ at: 500 * i, ms: 1_500, text: `${i}` })),
    ['warning recording-overlapping-polls', 'note recording-polling'],
  ],
  [
    'a poll behind six streams',
    [
      ...times(6, (i) => ({ ...stream, at: i, path: `/events?i=${i}`, ms: 20_000 })),
      entry({ at: 100, ms: 20_010, blocked: 19_900 }),
    ],
    ['serious recording-waited', 'note recording-streams'],
  ],
  [
    'the same over HTTP/2',
    [
      ...times(6, (i) => ({ ...stream, at: i, path: `/events?i=${i}`, ms: 20_000, version: 'h2' })),
      entry({ at: 100, ms: 5_000, blocked: 4_900, version: 'h2' }),
    ],
    ['note recording-streams'],
  ],
  ['a wait without a visible cause', [entry({ at: 0, ms: 5_000, blocked: 4_900 })], ['warning recording-waited']],
  [
    'streams of a minute each',
    times(4, (i) => ({ ...stream, at: 61_000 * i, ms: 60_000 + i })),
    ['warning recording-stream-time-out', 'note recording-streams'],
  ],
  [
    'events again after Last-Event-ID',
    [
      entry({ ...stream, at: 0, ms: 900, text: seven('1 2 3') }),
      entry({ ...stream, at: 1_000, request: { 'Last-Event-ID': '3' }, text: seven('1 2 3 4') }),
    ],
    ['serious recording-repeated-events', 'note recording-streams'],
  ],
  [
    'the event that Last-Event-ID names, again',
    [
      entry({ ...stream, at: 0, ms: 900, text: seven('1 2 3') }),
      entry({ ...stream, at: 1_000, ms: 900, request: { 'Last-Event-ID': '3' }, text: seven('3 4') }),
      entry({ ...stream, at: 2_000, request: { 'Last-Event-ID': '4' }, text: seven('4 5') }),
    ],
    ['warning recording-repeated-events', 'note recording-streams'],
  ],
  [
    'another event than Last-Event-ID names, again',
    [
      entry({ ...stream, at: 0, ms: 900, text: seven('1 2 3') }),
      entry({ ...stream, at: 1_000, request: { 'Last-Event-ID': '3' }, text: seven('2 4') }),
    ],
    ['serious recording-repeated-events', 'note recording-streams'],
  ],
  [
    'events again, as Chrome notes them, on a page loaded again',
    [0, 1_000].map((at) =>
      entry({ ...stream, at, ms: 900, more: { _eventSourceMessages: [{ eventId: '7', data: 'x' }] } }),
    ),
    ['note recording-repeated-events', 'note recording-streams'],
  ],
  [
    'events in two tabs',
    [0, 10].map((at) => entry({ ...stream, at, ms: 900, text: seven('1 2') })),
    ['note recording-streams'],
  ],
  [
    'a stream that got a login page',
    [entry({ at: 0, path: '/events', type: 'text/html', request: { accept: 'text/event-stream' } })],
    ['serious recording-stream-refused', 'note recording-streams'],
  ],
  [
    'clients that do not wait',
    times(2, (i) => ({ at: 1_000 * i, status: 503, response: { 'Retry-After': '30' } })),
    ['warning recording-ignored-retry-after'],
  ],
  [
    'what Playwright, Safari and a proxy leave out or put in',
    [
      entry({ at: 0, status: -1, more: { timings: null, connection: 12, _resourceType: 7 } }),
      { ...entry({ at: 5 }), response: null },
    ],
    [],
  ],
])('%s', (_name, entries, expected) => {
  expect(judge(recordingRules, parseHar(har(entries))).map(({ severity, rule }) => `${severity} ${rule}`)).toEqual(
    expected,
  );
});

test('long polls cost one request for each piece of news, and one for each quiet half minute', () => {
  const [polling] = pollings(parseHar(har(times(61, (i) => ({ at: 2_000 * i, text: i < 30 ? 'a' : 'b' })))));
  expect(polling).toMatchObject({ same: 59, compared: 60, everyMs: 2_000, held: false });
  expect(asLongPolls(polling!)).toBe(2 + 4);
});

test.each([
  ['', /is empty\. Expected a HAR file/],
  ['{"log":', /is not JSON, or is cut off/],
  ['null', /has no list "log\.entries"/],
  ['[]', /has no list/],
  ['{"log":{"entries":{"length":9}}}', /has no list/],
  ['{"log":{"entries":[]}}', /has no requests/],
  ['{"log":{"entries":[null,1,{"request":{}}]}}', /has no request with a URL and a time/],
  [har([{ ...entry({ at: 0 }), startedDateTime: 'yesterday' }]), /has no request with a URL and a time/],
  ['['.repeat(200_000), /is not JSON/],
])('%.40s is told in a sentence', (text, message) => {
  expect(() => parseHar(text)).toThrow(message);
});

test('shows nothing that moves a cursor, and no secret', () => {
  const url = 'https://me:pass@host.example/\u001b[31m?__proto__=x&code=hunter2#hunter3';
  const path = `/${'hunter4'.repeat(9)}/x`;
  const entries = times(6, (i) => ({ at: i, text: 'hunter5', request: { Cookie: 'hunter6' } })).map((each, i) => ({
    ...each,
    request: { ...each.request, url: i % 2 ? url : `http://host.example${path}` },
  }));
  const recording = parseHar(har([...entries, ...entries, ...entries]));
  const text = JSON.stringify(judge(recordingRules, recording)) + JSON.stringify(recording.requests);
  expect(text).toContain('/…/x');
  expect(text).not.toMatch(/hunter|pass@|\\u001b/);
});
