import { once } from 'node:events';
import { createServer, ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { writeSharedHead } from './shared-heads.js';

type Write = (res: ServerResponse, status: number, fields: (string | number)[]) => void;
const writeHead: Write = (res, status, fields) => res.writeHead(status, fields);

afterEach(() => vi.restoreAllMocks());

interface Case {
  what: string;
  status?: number;
  fields: (nth: number) => (string | number)[];
  pieces: (nth: number) => string[];
  /** Whether the body ends with its connection, without framing. */
  unframed?: boolean;
}
const CLOSE = 'Connection: close\r\n';

/** Answers the requests of three connections, one after the other, and returns all that their clients received, without dates. */
async function received(write: Write, { status = 200, fields, pieces, unframed = false }: Case): Promise<string> {
  let nth = 0;
  const server = createServer((_, res) => {
    nth += 1;
    res.useChunkedEncodingByDefault = !unframed;
    write(res, status, fields(nth));
    for (const piece of pieces(nth)) res.write(piece);
    res.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  let text = '';
  for (let clients = 0; clients < 3; clients++) {
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('latin1');
    client.on('data', (data: string) => {
      text += data;
    });
    for (const more of unframed ? [''] : ['', '', CLOSE])
      client.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`);
    await once(client, 'close');
  }
  server.close();
  return text.replace(/Date: [^\r]+/g, 'Date: …');
}

const cases: Case[] = [
  { what: 'a length', fields: () => ['Content-Length', 2, 'Vary', 'Prefer'], pieces: () => ['{}'] },
  { what: 'other lengths', fields: (nth) => ['Content-Length', nth], pieces: (nth) => ['x'.repeat(nth)] },
  { what: 'chunks', fields: () => ['Vary', 'Prefer'], pieces: () => ['a', 'bc'] },
  { what: 'no content', status: 204, fields: () => ['Vary', 'Prefer'], pieces: () => ['x'] },
  { what: 'nothing new', status: 304, fields: () => ['ETag', '"1"'], pieces: () => [] },
  { what: 'no end but that of its connection', fields: () => ['Vary', 'Prefer'], pieces: () => ['a'], unframed: true },
];

test.each(cases)('an answer with $what that shares its head is what Node writes without, to the byte', async (one) => {
  const answers = await received(writeSharedHead, one);
  expect(answers).toMatch(/^HTTP\/1\.1 /);
  expect(answers).toBe(await received(writeHead, one));
});

test('a header that an answer has beside its fields is in its own head alone', async () => {
  let nth = 0;
  const server = createServer((_, res) => {
    nth += 1;
    if (nth !== 2) res.setHeader('Location', `/${nth}`);
    writeSharedHead(res, 200, ['Content-Length', 0]);
    res.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const seen: (string | null)[] = [];
  for (let answers = 0; answers < 4; answers++) seen.push((await fetch(url)).headers.get('location'));
  server.close().closeAllConnections();
  expect(seen).toEqual(['/1', null, '/3', '/4']);
});

test('a head is shared for a second: then its date is made anew', () => {
  const made = vi.spyOn(ServerResponse.prototype, 'writeHead');
  const now = vi.spyOn(Date, 'now');
  const answer = (ms: number) => {
    now.mockReturnValue(ms);
    const res = new ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 } as never);
    writeSharedHead(res, 299, ['Content-Length', 0]);
    return res;
  };
  for (const ms of [5_000, 5_400, 5_999]) expect(answer(ms).headersSent).toBe(true);
  expect(made).toHaveBeenCalledTimes(1);
  answer(6_000);
  expect(made).toHaveBeenCalledTimes(2);
});
