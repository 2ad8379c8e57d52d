import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LedgerRow } from '../ledger.js';
import { http } from './http1.js';
import { kafka } from './kafka.js';
import { Connection, type Framing, Unframed } from './record.js';
import { resp } from './resp.js';

type Said = [who: 'client' | 'server', bytes: string | Buffer];

/** What is counted of a conversation whose bytes come in pieces of that size. */
function rowsOf(
  framing: Framing,
  said: Said[],
  pieceBytes = Number.POSITIVE_INFINITY,
  rows: LedgerRow[] = [],
): LedgerRow[] {
  const connection = new Connection(7, framing.protocol, rows);
  const conversation = framing.open(connection);
  for (const [who, what] of said) {
    const bytes = Buffer.from(what as string);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + Math.min(pieceBytes, bytes.length));
      if (who === 'client') conversation.request(piece);
      else conversation.response(piece);
    }
  }
  conversation.responseEnd?.();
  return rows;
}

/** The same, byte by byte and in one piece: where pieces end must not matter. */
function counted(framing: Framing, said: Said[]) {
  const short = (pieceBytes?: number) =>
    rowsOf(framing, said, pieceBytes).map(
      ({ method, route, technique, status, bytesIn, bytesOut, events, endedAt }) => {
        return [method, route, technique, status, bytesIn, bytesOut, events, endedAt ? 'ended' : 'open'];
      },
    );
  const [whole, bytewise] = [short(), short(1)];
  expect(bytewise).toEqual(whole);
  return whole;
}

const crlf = (...lines: string[]) => lines.map((line) => `${line}\r\n`).join('');

describe('HTTP/1.1', () => {
  const poll = crlf('GET /jobs/a?x=1 HTTP/1.1', 'Host: h', 'Experiment: mine', '');

  it('counts requests on one connection, one after the other and pipelined', () => {
    const answer = `${crlf('HTTP/1.1 200 OK', 'Content-Length: 2', '')}{}`;
    const unchanged = crlf('HTTP/1.1 304 Not Modified', 'Content-Length: 2', '');
    const wait = crlf('GET /jobs/a/result HTTP/1.1', 'Prefer: wait=5', '');
    expect(
      counted(http(), [
        ['client', poll],
        ['server', answer],
        ['client', poll + wait],
        ['server', unchanged + answer],
      ]),
    ).toEqual([
      ['GET', '/jobs/a', 'short-poll', 200, poll.length, answer.length, 0, 'ended'],
      ['GET', '/jobs/a', 'short-poll', 304, poll.length, unchanged.length, 0, 'ended'],
      ['GET', '/jobs/a/result', 'long-poll', 200, wait.length, answer.length, 0, 'ended'],
    ]);
    expect(rowsOf(http(), [['client', poll]])[0]).toMatchObject({ experiment: 'mine', connection: 7, endedAt: null });
  });

  it('counts bodies in chunks, both ways, and the events of a stream', () => {
    const submit = crlf('POST /jobs HTTP/1.1', 'Transfer-Encoding: gzip, chunked', '', '3;x=y', 'abc', '0', 'T: r', '');
    const stream = crlf('HTTP/1.1 200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked', '');
    const events = ['retry: 1\n\n:\n\nid: 1\nda', 'ta: {}\n\r\ndata\r\n\r', '\ndata: cut'];
    const chunks = events.flatMap((text) => [text.length.toString(16), text]);
    const answer = crlf('HTTP/1.1 103 Early Hints', 'Link: x', '') + stream + crlf(...chunks);
    expect(
      counted(http(), [
        ['client', submit],
        ['server', answer],
      ]),
    ).toEqual([['POST', '/jobs', 'submit', 200, submit.length, answer.length, 2, 'open']]);
  });

  it('takes an empty line before a message for no part of it', () => {
    const answer = crlf('HTTP/1.1 204 No Content', '');
    expect(
      counted(http(), [
        ['client', `\r\n${poll}\r\n\r\n${poll}`],
        ['server', `\r\n${answer}\r\n${answer}`],
      ]),
    ).toEqual(Array(2).fill(['GET', '/jobs/a', 'short-poll', 204, poll.length, answer.length, 0, 'ended']));
  });

  it('ends an answer without a length with the connection, and reads nothing after an upgrade', () => {
    const old = `${crlf('HTTP/1.0 200 OK', '')}some text`;
    expect(
      counted(http(), [
        ['client', poll],
        ['server', old],
      ]),
    ).toEqual([['GET', '/jobs/a', 'short-poll', 200, poll.length, old.length, 0, 'ended']]);
    const upgrade = crlf('HTTP/1.1 101 Switching Protocols', '');
    expect(
      counted(http(), [
        ['client', poll],
        ['server', `${upgrade}\0\u0001`],
        ['client', '\0\u0001'],
      ])[0],
    ).toEqual(['GET', '/jobs/a', 'short-poll', 101, poll.length + 2, upgrade.length + 2, 0, 'ended']);
  });

  it('gives the start of a body to a rule for techniques', () => {
    const framing = http(({ body }) => (body.includes('wait') ? 'long-poll' : 'short-poll'));
    const receive = `${crlf('POST / HTTP/1.1', 'Content-Length: 5000', '')}wait${'.'.repeat(4_996)}`;
    expect(counted(framing, [['client', receive]])[0]).toEqual(
      ['POST', '/', 'long-poll', null, receive.length, 0, 0, 'open'], //
    );
  });

  it.each([
    ['client', 'a line that begins no request', 'GET /\r\n\r\n'],
    ['client', 'two lengths', crlf('GET / HTTP/1.1', 'Content-Length: 1', 'Content-Length: 2', '')],
    ['client', 'a header without end', `GET / HTTP/1.1\r\nA: ${'a'.repeat(70_000)}`],
    ['client', 'headers without end', `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(12_000)}`],
    ['server', 'an answer to nothing', 'HTTP/1.1 200 OK\r\n\r\n'],
  ] as const)('refuses, from the %s, %s', (who, _what, bytes) => {
    expect(() => rowsOf(http(), [[who, bytes]])).toThrow(Unframed);
  });
});

describe('Kafka', () => {
  const frame = (...bytes: number[]) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, Buffer.from(bytes)]);
  };
  const request = (key: number, id: number, ...rest: number[]) => frame(0, key, 0, 11, 0, 0, 0, id, ...rest);
  const response = (id: number, ...rest: number[]) => frame(0, 0, 0, id, ...rest);

  it('counts by API key, and joins answers by their correlation ids, in whatever order', () => {
    const said: Said[] = [
      ['client', Buffer.concat([request(18, 1), request(1, 2, 9, 9, 9), request(0, 3, 9)])],
      ['server', Buffer.concat([response(3, 5), response(1)])],
      ['client', request(77, 4)],
    ];
    expect(counted(kafka, said)).toEqual([
      ['ApiVersions', 'ApiVersions', 'other', 200, 12, 8, 0, 'ended'],
      ['Fetch', 'Fetch', 'consume', null, 15, 0, 0, 'open'],
      ['Produce', 'Produce', 'submit', 200, 13, 9, 0, 'ended'],
      ['API 77', 'API 77', 'other', null, 12, 0, 0, 'open'],
    ]);
  });

  it('counts what came of a frame that is cut, and a request as soon as its head is there', () => {
    const [half, head] = [request(1, 2, 9, 9, 9).subarray(0, 13), request(0, 3).subarray(0, 11)];
    const row = (...counts: unknown[]) => ['Fetch', 'Fetch', 'consume', ...counts];
    expect(counted(kafka, [['client', half]])).toEqual([row(null, 13, 0, 0, 'open')]);
    expect(counted(kafka, [['client', head]])).toEqual([]);
    const answer = response(2, 7, 7).subarray(0, 9);
    expect(
      counted(kafka, [
        ['client', request(1, 2)],
        ['server', answer],
      ]),
    ).toEqual([row(200, 12, 9, 0, 'open')]);
  });

  it.each([
    ['client', 'a frame of 2 GiB', Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 1, 0, 11, 0, 0, 0, 1])],
    ['client', 'a frame of less than no bytes', Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 1, 0, 11, 0, 0, 0, 1])],
    ['client', 'a frame that is too long', Buffer.from([0x7f, 0, 0, 0, 0, 1, 0, 11, 0, 0, 0, 1])],
    ['client', 'a frame that is too short', frame(0, 1)],
    ['client', 'HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['server', 'an answer to nothing', response(1)],
  ] as const)('refuses, from the %s, %s', (who, _what, bytes) => {
    expect(() => rowsOf(kafka, [[who, Buffer.concat([Buffer.from(bytes as string), Buffer.alloc(8)])]])).toThrow(
      Unframed,
    );
  });
});

describe('RESP', () => {
  const command = (...words: string[]) => crlf(`*${words.length}`, ...words.flatMap((w) => [`$${w.length}`, w]));
  const block = command('XREAD', 'block', '500', 'STREAMS', 'log', '$');
  const pop = command('BLPOP', 'list', '0');
  const get = command('GET', 'a'.repeat(100)); // longer than what is kept of a word

  it('counts commands by their names, and tells a reply from one that is null, in RESP2', () => {
    const entry = crlf('*1', '*2', '$3', 'log', '*1', '*2', '$3', '1-0', '*2', '$1', 'a', '$-1');
    expect(
      counted(resp, [
        ['client', block + pop],
        ['server', entry + crlf('*-1')],
        ['client', `${get}PING\r\n`],
        ['server', crlf('-WRONGTYPE no', '+PONG')],
      ]),
    ).toEqual([
      ['XREAD', 'XREAD', 'consume', 200, block.length, entry.length, 1, 'ended'],
      ['BLPOP', 'BLPOP', 'long-poll', 200, pop.length, 5, 0, 'ended'],
      ['GET', 'GET', 'other', 500, get.length, 15, 1, 'ended'],
      ['PING', 'PING', 'other', 200, 6, 7, 1, 'ended'],
    ]);
  });

  it('reads every type of RESP3, and takes no push for an answer', () => {
    const attributes = crlf('|1', '+ttl', ':3600');
    const values = crlf('%2', '+a', '#t', '+b', ',1.5', '~2', '(123', '_', '!5', 'ERR x', '=5', 'txt:x', '*0', '_');
    const push = crlf('>2', '+invalidate', '*1', '$1', 'a');
    const rows = counted(resp, [
      ['client', command('HELLO', '3').repeat(6)],
      ['server', push + attributes + values],
    ]);
    expect(rows.map(([, , , status, , , events]) => [status, events])).toEqual([
      [200, 1],
      [200, 1],
      [500, 1],
      [200, 1],
      [200, 1],
      [200, 0],
    ]);
    expect(rows.map((row) => row[5]).reduce((sum, bytes) => Number(sum) + Number(bytes))).toBe(
      (attributes + values).length,
    );
  });

  it('takes status and null from the reply that attributes belong to', () => {
    const attributes = crlf('|1', '+ttl', ':3600');
    const rows = counted(resp, [
      ['client', get + get + get],
      ['server', `${attributes}_\r\n${attributes}-ERR\r\n${crlf('*1', '|1', '+a', ':1', '_')}`],
    ]);
    expect(rows.map(([, , , status, , bytesOut, events, is]) => [status, bytesOut, events, is])).toEqual([
      [200, attributes.length + 3, 0, 'ended'],
      [500, attributes.length + 6, 1, 'ended'],
      [200, 19, 1, 'ended'],
    ]);
  });

  it('reads lists in lists, however deep, within its bound', () => {
    const deep = `${'*1\r\n'.repeat(5_000)}:1\r\n`;
    const row = ['GET', 'GET', 'other', 200, get.length, deep.length, 1, 'ended'];
    expect(counted(resp, [['client', get], ['server', deep]])).toEqual([row]); // biome-ignore format: one line
  });

  it('counts the messages of a subscription as events of one request', () => {
    const subscribe = command('SUBSCRIBE', 'c');
    const confirmed = crlf('*3', '$9', 'subscribe', '$1', 'c', ':1');
    const message = crlf('*3', '$7', 'message', '$1', 'c', '$2', 'hi');
    const out = confirmed.length + 2 * message.length;
    expect(
      counted(resp, [
        ['client', subscribe],
        ['server', confirmed + message + message],
      ]),
    ).toEqual([['SUBSCRIBE', 'SUBSCRIBE', 'event-stream', 200, subscribe.length, out, 3, 'open']]);
  });

  it.each([
    ['client', 'a string that is too long', '*1\r\n$9999999999\r\n'],
    ['client', 'a list that is too long', '*99999999\r\n'],
    ['client', 'lists in lists', '*1000000\r\n'.repeat(3)],
    ['client', 'a line without end', 'A'.repeat(70_000)],
    ['server', 'words', 'hello\r\n'],
  ] as const)('refuses, from the %s, %s', (who, _what, bytes) => {
    expect(() => rowsOf(resp, [[who, bytes]])).toThrow(Unframed);
  });
});

it('takes any bytes, in any pieces: it counts the same, or says that it cannot at the same byte', () => {
  const frame = (...bytes: number[]) => String.fromCharCode(0, 0, 0, bytes.length, ...bytes);
  const parts = [
    ...['GET /a HTTP/1.1\r\n', 'HEAD / HTTP/1.1\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\n\r\n', '\r\n'],
    crlf('POST / HTTP/1.1', 'Transfer-Encoding: chunked', '', '3;x=y', 'abc', '0', 'T: r', ''),
    crlf('HTTP/1.1 200 OK', 'Content-Type: text/event-stream', 'Transfer-Encoding: chunked', ''),
    ...[crlf('a', 'data: hell', '4', '\n\nid', '0', 'T: x', ''), crlf('HTTP/1.1 200 OK', '')],
    ...[crlf('HTTP/1.1 103 Early Hints', ''), crlf('HTTP/1.1 101 Switching Protocols', '')],
    ...[crlf('*2', '$4', 'PING', '$1', 'a'), 'PING a\r\n', crlf('*2', '$9', 'SUBSCRIBE', '$1', 'a'), crlf('*1')],
    ...[crlf('|1', '+ttl', ':1'), crlf('_'), crlf('-ERR'), crlf('%1', '+a', '*2', '$1', 'b', '$-1'), crlf('>1', '+x')],
    ...[frame(0, 1, 0, 11, 0, 0, 0, 1), frame(0, 0, 0, 11, 0, 0, 0, 2, 9), frame(0, 0, 0, 1, 5), frame(0, 0, 0, 2)],
  ].map((text) => Buffer.from(text, 'latin1'));
  const part = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...parts) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)) },
  );
  const said = fc.array(fc.tuple(fc.constantFrom('client' as const, 'server' as const), part), { maxLength: 12 });
  const told = (framing: Framing, pieces: Said[], pieceBytes?: number) => {
    const rows: LedgerRow[] = [];
    try {
      rowsOf(framing, pieces, pieceBytes, rows);
    } catch (error) {
      if (!(error instanceof Unframed)) throw error;
      return { rows: rows.map(withoutTimes), error: error.message };
    }
    return { rows: rows.map(withoutTimes) };
  };
  fc.assert(
    fc.property(
      fc.constantFrom(http(), kafka, resp),
      said,
      fc.integer({ min: 1, max: 9 }),
      (framing, pieces, bytes) => {
        const whole = told(framing, pieces);
        expect(told(framing, pieces, bytes)).toEqual(whole);
        for (const { bytesIn, bytesOut } of whole.rows) expect(bytesIn >= 0 && bytesOut >= 0).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

const withoutTimes = ({ arrivedAt, answeredAt, endedAt, ...row }: LedgerRow) => ({ ...row, isOver: endedAt !== null });
