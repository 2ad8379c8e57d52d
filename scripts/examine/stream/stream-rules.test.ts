import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Exchange } from '../exchange.js';
import { judge } from '../finding.js';
import { streamRules } from './stream-rules.js';
import { longestSilence, transcribe } from './transcript.js';
import type { Heard, StreamSeen, Unread } from './watch-stream.js';

/** Text of an answer's body, and when it came, in milliseconds. */
type Pieces = readonly (readonly [at: number, text: string | Buffer])[];

/** A stream of which exactly this came, and nothing for a while after. */
async function heard(
  pieces: Pieces,
  { headers = {}, headAt = 5, began = 0, now = pieces.at(-1)?.[0] ?? 0 } = {},
): Promise<Heard> {
  const exchange = {
    ...{ began, headAt, now, endedAt: now, ending: 'closed', status: 200, ask: { url: 'http://localhost/' } },
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform', ...headers },
    pieces: pieces.map(([at, text]) => ({ at, bytes: Buffer.from(text as string) })),
  } as unknown as Exchange;
  return { exchange, transcript: await transcribe(exchange) };
}

const seen = (stream: Heard, others: Partial<StreamSeen> = {}): StreamSeen => ({
  ...{ watchedMs: 20_000, silenceMs: longestSilence(stream.exchange), resumes: [], compressed: undefined },
  ...{ foreign: undefined, beside: undefined, again: undefined, http2: undefined, unread: undefined },
  ...{ ...stream, ...others },
});
const look = (rule: string, what: StreamSeen) =>
  judge(
    streamRules.filter(({ id }) => id === rule),
    what,
  )[0];

const START = Date.parse('2026-01-01T00:00:00Z');
const stamped = (second: number) => `id: ${second}\ndata: ${new Date(START + 1_000 * second).toISOString()}\n\n`;
const plain = (n: number) => `id: ${n}\ndata: event ${n}\n\n`;
const join = (ids: number[], text: (n: number) => string) => ids.map(text).join('');

test.each<[string, Pieces, object, string | undefined]>([
  ['events that come one by one', [0, 1, 2, 3].map((n) => [n * 1_000 + 10, stamped(n)]), {}, undefined],
  [
    'old events at the start',
    [
      [10, join([0, 1, 2, 3], stamped)],
      [1_000, stamped(4)],
    ],
    {},
    undefined,
  ],
  [
    'old events at the start, whose head waited for them',
    [[4_000, join([0, 1, 2, 3, 4], stamped)]],
    { headAt: 4_000 },
    'serious',
  ],
  [
    'events of four seconds at once, later',
    [
      [10, stamped(0)],
      [5_000, join([1, 2, 3, 4], stamped)],
    ],
    {},
    'serious',
  ],
  [
    'events of one instant at once',
    [
      [10, stamped(0)],
      [5_000, stamped(1).repeat(9)],
    ],
    {},
    undefined,
  ],
  [
    'an event in two packets',
    [
      [10, `${plain(1)}${plain(2)}id: 3\nda`],
      [40, 'ta: event 3\n\n'],
    ],
    {},
    undefined,
  ],
  [
    'an event cut by a full buffer',
    [
      [10, `${plain(1)}${plain(2)}id: 3\nda`],
      [4_010, 'ta: event 3\n\n'],
    ],
    {},
    'serious',
  ],
  [
    'a slow event, written in two',
    [
      [10, 'id: 3\nda'],
      [4_010, 'ta: event 3\n\n'],
    ],
    {},
    undefined,
  ],
  [
    'bursts without times',
    [0, 1, 2, 3].map((n) => [n * 3_000 + 10, join([3 * n, 3 * n + 1, 3 * n + 2], plain)]),
    {},
    'warning',
  ],
  ['a Content-Length', [[10, plain(1)]], { headers: { 'content-length': '30' } }, 'serious'],
])('buffered: %s', async (_name, pieces, options, expected) => {
  expect(look('stream-buffered', seen(await heard(pieces, options)))?.severity).toBe(expected);
});

test('buffered: against the same stream without the proxy', async () => {
  const beside = await heard(
    [1, 2, 3, 4].map((n) => [n * 1_000, plain(n)]),
    { began: 20 },
  );
  const held = await heard([[4_000, join([1, 2, 3, 4], plain)]]);
  expect(look('stream-buffered', seen(held, { beside }))).toMatchObject({ severity: 'serious' });
  expect(look('stream-buffered', seen(beside, { beside }))).toBeUndefined();
});

test('compressed: late, or not', async () => {
  const stream = await heard([1, 2, 3, 4].map((n) => [n * 1_000, plain(n)]));
  const zipped = (at: number) =>
    heard([[at, gzipSync(join([1, 2, 3, 4], plain))]], { headers: { 'content-encoding': 'gzip' } });
  expect(look('stream-compressed', seen(stream, { compressed: await zipped(4_500) }))?.severity).toBe('serious');
  expect(look('stream-compressed', seen(stream, { compressed: await zipped(2_600) }))?.severity).toBe('note');
  // A reader that comes later gets what there was at once: that is history.
  const late = await heard([[5, gzipSync(join([1, 2, 3, 4], plain))]], {
    began: 9_000,
    headers: { 'content-encoding': 'gzip' },
  });
  expect(look('stream-compressed', seen(stream, { compressed: late }))?.severity).toBe('note');
});

test('compressed: held back with its head, beside an answered connection', async () => {
  const stream = await heard([1, 2, 3, 4].map((n) => [n * 1_000, plain(n)]));
  const { exchange, transcript } = await heard([], { now: 4_000 });
  const compressed = { exchange: { ...exchange, headAt: undefined } as unknown as Exchange, transcript };
  const foreign = stream.exchange;
  expect(look('stream-compressed', seen(stream, { compressed, foreign }))?.severity).toBe('serious');
  // A server that takes one connection at a time answers none of the others.
  expect(look('stream-compressed', seen(stream, { compressed }))).toBeUndefined();
});

test.each<[string, Pieces, number, string | undefined]>([
  [
    'events every 10 s',
    [
      [10_000, plain(1)],
      [20_000, plain(2)],
    ],
    20_000,
    undefined,
  ],
  ['20 s without a comment', [[10, plain(1)]], 20_000, 'note'],
  [
    'comments every 15 s',
    [
      [15_100, ':\n\n'],
      [30_200, ':\n\n'],
    ],
    31_000,
    undefined,
  ],
  ['a comment, then silence for a minute', [[10, ':\n\n']], 60_100, 'warning'],
  ['a minute of silence', [[10, plain(1)]], 60_100, 'warning'],
])('silence: %s', async (_name, pieces, now, expected) => {
  expect(look('stream-silence', seen(await heard(pieces, { now })))?.severity).toBe(expected);
});

test('a head that comes with the first event is late', async () => {
  expect(look('stream-head-late', seen(await heard([[3_000, plain(1)]], { headAt: 3_000 })))?.severity).toBe('warning');
  expect(look('stream-head-late', seen(await heard([[3_000, plain(1)]], { headAt: 5 })))).toBeUndefined();
  expect(look('stream-head-late', seen(await heard([[30, plain(1)]], { headAt: 30 })))).toBeUndefined();
});

test.each<[string, Pieces, string | undefined]>([
  [
    'a field cut in two',
    [
      [10, 'event: a\nda'],
      [11, 'ta: 1\n\n'],
    ],
    undefined,
  ],
  [
    'a line end cut in two',
    [
      [10, 'event: a\r'],
      [11, '\ndata: 1\r\n\r\n'],
    ],
    undefined,
  ],
  ['carriage returns', [[10, 'event: a\rdata: 1\r\r']], undefined],
  ['an event without data', [[10, 'event: a\n\ndata: 1\n\n']], 'warning'],
  ['a field that no reader knows', [[10, 'message: a\n\n']], 'warning'],
])('format: %s', async (_name, pieces, expected) => {
  const stream = await heard(pieces);
  expect(look('stream-format', seen(stream))?.severity).toBe(expected);
  expect(stream.transcript.events.map(({ data }) => data)).toEqual(/message/.test(String(pieces)) ? [] : ['1']);
});

test.each([
  ['no retry', 'data: 1\n\n', 'note'],
  ['a second', 'retry: 1000\n\n', undefined],
  ['in seconds', 'retry: 3\n\n', 'warning'],
  ['no number', 'retry: 3s\n\n', 'warning'],
])('retry: %s', async (_name, text, expected) => {
  expect(look('stream-retry', seen(await heard([[10, text]])))?.severity).toBe(expected);
});

test('text that is no UTF-8 is serious, another charset by name a warning', async () => {
  expect(look('stream-encoding', seen(await heard([[10, Buffer.from('data: caf\xe9\n\n', 'latin1')]])))?.severity).toBe(
    'serious',
  );
  const named = { headers: { 'content-type': 'text/event-stream; charset=iso-8859-1' } };
  expect(look('stream-encoding', seen(await heard([[10, plain(1)]], named)))?.severity).toBe('warning');
});

test('every rule has a source, and its notebook', () => {
  for (const { id, source, notebook } of streamRules) {
    expect(id).toMatch(/^stream-[a-z0-9-]+$/);
    expect(source.url).toMatch(/^https:\/\//);
    expect(notebook).toMatch(/^\d\d$/);
  }
});

test.each<[string, Partial<Unread>, string | undefined]>([
  ['kept everything', {}, 'note: got what another one got meanwhile, 9 events (5,000 bytes)'],
  ['kept everything, in buffers on the way', { fits: true }, undefined],
  ['passed over some', { lost: 4 }, 'warning: missed 4 of 9 events (5,000 bytes)'],
  ['closed the connection', { closed: true, lost: 4 }, 'note: lost its connection, while another one got 9 events'],
])('a reader that does not read, and a server that %s', async (_name, change, expected) => {
  const unread: Unread = { heldMs: 5_000, events: 9, bytes: 5_000, fits: false, lost: 0, closed: false, ...change };
  const finding = look('stream-unread', seen(await heard([[10, plain(1)]]), { unread }));
  if (expected === undefined) return expect(finding).toBeUndefined();
  const [severity, saw = ''] = expected.split(': ');
  expect(finding).toMatchObject({ severity, saw: expect.stringContaining(saw) });
});
