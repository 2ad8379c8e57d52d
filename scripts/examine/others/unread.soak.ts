import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../test/random.js';
import { examineUrl } from '../examine-url.js';
import { textReport } from '../report.js';

// What servers do to a reader that does not read, from its connection to the finding. Over HTTP/2, where the reader takes 1 KiB at
// most, so that the systems' buffers hide nothing.

/** Bytes that wait for a reader. With more than this, a server treats the reader as slow. */
const BOUND = 4_096;

let server: Http2Server;
let url: string;
const sessions = new Set<{ destroy(): void }>();
let last = 0;
const listeners = new Set<() => void>();
const ticking = setInterval(() => {
  last += 1;
  for (const listener of listeners) listener();
}, 50);

const policies: Record<string, (stream: ServerHttp2Stream, text: string) => void> = {
  '/drops': (stream, text) => {
    if (stream.writableLength < BOUND) stream.write(text);
  },
  '/closes': (stream, text) => {
    if (stream.writableLength < BOUND) stream.write(text);
    else stream.destroy(new Error('too slow'));
  },
  '/keeps': (stream, text) => stream.write(text),
};

beforeAll(async () => {
  server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {}).on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    const send = policies[headers[':path'] ?? '']!;
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' });
    stream.write('retry: 2000\n\n');
    let next = headers['last-event-id'] === undefined ? last + 1 : Number(headers['last-event-id']) + 1;
    const more = () => {
      for (; next <= last; next += 1) send(stream, `id: ${next}\ndata: ${'x'.repeat(500)} ${next}\n\n`);
    };
    listeners.add(more);
    stream.on('error', () => {}).on('close', () => listeners.delete(more));
    more();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  clearInterval(ticking);
  for (const session of sessions) session.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

test.concurrent.each([
  ['/drops', 'warning', /missed [1-9]\d* of .* Its connection stayed open\.$/],
  ['/closes', 'note', /lost its connection, while another one got /],
  ['/keeps', 'note', /got what another one got meanwhile, .*, when it read again\./],
])('%s: %s', async (path, severity, saw) => {
  const examination = await examineUrl({
    ...{ url: url + path, forMs: 12_000, protocol: 'HTTP/2', random: seededRandom(5) },
    off: ['stream-six-connections', 'stream-cors', 'stream-buffered', 'stream-silence'],
  });
  process.stdout.write(`| ${path} | ${examination.findings.map(({ rule, saw }) => `${rule}: ${saw}`)} |\n`);
  const found = examination.findings.map(({ rule, severity }) => `${severity} ${rule}`);
  expect(found, textReport(examination)).toEqual([`${severity} stream-unread`]);
  expect(examination.findings[0]!.saw).toMatch(saw);
});
