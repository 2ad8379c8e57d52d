import { once } from 'node:events';
import {
  createServer as createPlain,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../test/random.js';
import { type ExamineOptions, examineUrl } from './examine-url.js';
import { textReport } from './report.js';

// One stream for all connections, an event every 10 ms, over HTTP/2. Each path has one fault.
let url: string;
let plainUrl: string;
let oldUrl: string;
const servers: { close(done: () => void): unknown }[] = [];
const sessions = new Set<{ destroy(): void }>();
let last = 0;
const listeners = new Set<(id: number) => void>();
const ticking = setInterval(() => {
  last += 1;
  for (const listener of listeners) listener(last);
}, 10);

const head = { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' };
const text = (id: number) => `id: ${id}\ndata: ${'x'.repeat(500)} ${id}\n\n`;

type Answer = (request: Http2ServerRequest, response: Http2ServerResponse, send: (id: number) => void) => void;

/** Sends events after `Last-Event-ID` or from now on, each as `send` does. */
const follow =
  (each: Answer, skip = 0) =>
  (request: Http2ServerRequest, response: Http2ServerResponse) => {
    response.writeHead(200, head);
    response.write('retry: 2000\n\n');
    const { 'last-event-id': lastId } = request.headers;
    let next = lastId === undefined ? last + 1 : Number(lastId) + 1 + skip;
    const more = () => {
      for (; next <= last; next += 1) each(request, response, () => response.write(text(next)));
    };
    more();
    listeners.add(more);
    response.stream.on('error', () => {}).on('close', () => listeners.delete(more));
  };
const plainly: Answer = (_request, _response, send) => send(0);
let resets = 0;
let undisturbed: Http2ServerResponse | undefined;

const paths: Record<string, (request: Http2ServerRequest, response: Http2ServerResponse) => void> = {
  '/good': follow(plainly),
  '/ignores': follow(plainly, 1),
  // The first reader, which is the one that is not disturbed, is reset after five events.
  '/resets': follow((_request, response, send) => {
    undisturbed ??= response;
    send(0);
    if (response !== undisturbed) return;
    resets += 1;
    if (resets === 5) response.stream.destroy(new Error('reset'));
  }),
  '/goes-away': (request, response) => {
    follow(plainly)(request, response);
    response.stream.session?.goaway(0);
  },
  '/json': (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
};

beforeAll(async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 });
  const answer = (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const path = paths[request.url];
    if (path) path(request, response);
    else response.writeHead(404).end();
  };
  const secure = createSecureServer({ key, cert, settings: { maxConcurrentStreams: 128 } }, answer);
  const plain = createPlain(answer);
  const old = createHttps({ key, cert }, (_request, response) =>
    response.writeHead(200, head).end('id: 1\ndata: 1\n\n'),
  );
  for (const server of [secure, plain]) {
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => {}).on('close', () => sessions.delete(session));
    });
  }
  for (const server of [secure, plain, old]) {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    servers.push(server);
  }
  const port = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
  url = `https://127.0.0.1:${port(secure)}`;
  plainUrl = `http://127.0.0.1:${port(plain)}`;
  oldUrl = `https://127.0.0.1:${port(old)}`;
});
afterAll(async () => {
  clearInterval(ticking);
  for (const session of sessions) session.destroy();
  for (const server of servers) await new Promise<void>((resolve) => server.close(resolve));
});

const examine = (to: string, options: Partial<ExamineOptions> = {}) =>
  examineUrl({
    ...{ url: to, forMs: 30_000, quick: true, insecure: true, random: seededRandom(7) },
    ...{ off: ['stream-cors', 'stream-buffered', 'stream-head-late', 'stream-silence'], ...options },
  });

test.concurrent.each<[string, string[], Partial<ExamineOptions>?]>([
  ['/good', []],
  ['/ignores', ['serious stream-lost-on-resume']],
  ['/resets', ['serious stream-cut'], { quick: false, unreadMs: 0 }],
  ['/goes-away', ['note stream-goaway']],
])('over HTTP/2, %s: %j', async (path, expected, options) => {
  const examination = await examine(url + path, options);
  const found = examination.findings.map(({ rule, severity }) => `${severity} ${rule}`);
  expect(found, textReport(examination)).toEqual(expected);
  expect(examination.summary).toMatch(/over HTTP\/2: .*limit of six connections does not apply.* carries 128 streams/);
});

test('looks over HTTP/1.1 where the server does not choose HTTP/2, and says that six connections are the limit', async () => {
  const { summary, findings } = await examine(oldUrl);
  expect(summary).toMatch(/^An event stream over HTTP\/1\.1: /);
  expect(findings.find(({ rule }) => rule === 'stream-six-connections')?.saw).toBe('HTTP/2 is not served.');
});

test('speaks HTTP/2 to an http: URL where it is told to, and still says what browsers speak to it', async () => {
  const { summary, findings } = await examine(`${plainUrl}/good`, { protocol: 'HTTP/2' });
  expect(summary).toMatch(/^An event stream over HTTP\/2: /);
  expect(findings.map(({ rule }) => rule)).toEqual(['stream-six-connections']);
});

test('looks at an answer over HTTP/2, too, and says what may help where nothing comes', async () => {
  expect((await examine(`${url}/json`)).summary).toMatch(/^An answer over HTTP\/2: 200, application\/json/);
  await expect(examine(`${url}/good`, { insecure: false })).rejects.toThrow(/--insecure accepts any/);
  await expect(examine(`${oldUrl}/`, { protocol: 'HTTP/2' })).rejects.toThrow(/does it speak HTTP\/2\?/);
});
