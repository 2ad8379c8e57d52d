import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { addPiece, type Piece } from '../exchange.js';
import { transcribe } from './transcript.js';

const dataOf = async (body: Parameters<typeof transcribe>[0]) =>
  (await transcribe(body)).events.map(({ data }) => data);

test('bytes that come one by one are kept in few pieces, and lose neither text nor time', () => {
  const pieces: Piece[] = [];
  const text = 'data: x\n\n'.repeat(1_000);
  for (const [i, byte] of Buffer.from(text).entries()) addPiece(pieces, i / 1_000, Buffer.of(byte));
  addPiece(pieces, 100, Buffer.from('late'));
  // 9,000 bytes within 9 ms: a piece ends after 4,096 bytes or 5 ms.
  expect(pieces.map(({ at, bytes }) => [at, bytes.length])).toEqual([
    [0, 4_096],
    [4.096, 4_096],
    [8.192, 808],
    [100, 4],
  ]);
  expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).toString()).toBe(`${text}late`);
});

test('a body is read on from where it was read to, also within a piece that has grown', async () => {
  const body = { headers: {}, pieces: [] as Piece[] };
  expect(await dataOf(body)).toEqual([]);
  addPiece(body.pieces, 0, Buffer.from('data: one\n\ndata: '));
  expect(await dataOf(body)).toEqual(['one']);
  addPiece(body.pieces, 1, Buffer.from('two\n\n'));
  expect(body.pieces).toHaveLength(1);
  expect(await dataOf(body)).toEqual(['one', 'two']);
  addPiece(body.pieces, 50, Buffer.from('data: three\n\n'));
  expect(await dataOf(body)).toEqual(['one', 'two', 'three']);
});

test('a compressed body is read on, too, and two readings at once read nothing twice', async () => {
  const body = { headers: {}, pieces: [] as Piece[] };
  expect(await dataOf(body)).toEqual([]);
  const bytes = gzipSync('data: one\n\ndata: two\n\n');
  Object.assign(body.headers, { 'content-encoding': 'gzip' });
  for (const byte of bytes) body.pieces.push({ at: body.pieces.length * 10, bytes: Buffer.of(byte) });
  expect(await Promise.all([dataOf(body), dataOf(body)])).toEqual([
    ['one', 'two'],
    ['one', 'two'],
  ]);
});

test('nothing is read behind bytes that are no UTF-8, whatever one compressed piece holds', async () => {
  const text = Buffer.concat([Buffer.of(0xff), Buffer.from('data: a\n\n'.repeat(20_000))]);
  const body = { headers: { 'content-encoding': 'gzip' }, pieces: [{ at: 0, bytes: gzipSync(text) }] };
  expect(await transcribe(body)).toMatchObject({ broken: true, events: [] });
});

test.each([
  [
    ['data: a\r', '\rdata: b\r\r'],
    ['a', 'b'],
  ],
  [
    ['data: a\r', '\n\r', '\ndata: b\r\n\r\n'],
    ['a', 'b'],
  ],
  [['data: a\r', '\ndata: b\n', '\r'], ['a\nb']],
])('lines of %j: %j', async (texts, expected) => {
  const pieces = texts.map((text, i) => ({ at: 10 * i, bytes: Buffer.from(text) }));
  expect(await dataOf({ headers: {}, pieces })).toEqual(expected);
});
