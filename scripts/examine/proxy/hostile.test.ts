// What a service or a client may send that is odd or hostile, as bytes; and the bounds of time, requests and memory.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type ExaminingProxy, openProxy } from './examining-proxy.js';
import { Faults } from './faults.js';
import { HeldAnswer } from './held-answer.js';
import { PassingTraffic } from './passing-traffic.js';
import { HANDSHAKE_MS } from './upgrade.js';
import { Upstream } from './upstream.js';

/** What the service answers, by path: bytes in Latin-1, or what it does with the connection. */
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const answers: Record<string, string | ((socket: net.Socket) => void)> = {
  '/ok': OK,
  '/socket': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  '/silent': () => {},
  '/interim': [
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Own\r\nX-Own: 1\r\n\r\n',
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 104 Upload Resumption Supported\r\n\r\n',
    'HTTP/1.1 200 Sch\xf6n\r\nX-Name: na\xefve\r\nContent-Length: 2\r\n\r\nok',
  ].join(''),
};
/** The requests that the service has got. */
let got: string[] = [];
/** Resolves with the connection of the next request. */
let asked = (_socket: net.Socket) => {};
const nextRequest = () =>
  new Promise<net.Socket>((resolve) => {
    asked = resolve;
  });

const service = net.createServer((socket) => {
  let text = '';
  socket.setEncoding('latin1').on('error', () => {});
  socket.on('data', (piece) => {
    text += piece;
    const [, path] = /^\S+ (\S+) [\s\S]*?\r\n\r\n/.exec(text) ?? [];
    if (path === undefined) return;
    got.push(text);
    text = '';
    const answer = answers[path];
    if (typeof answer === 'function') answer(socket);
    else socket.write(answer ?? OK, 'latin1');
    asked(socket);
  });
});
const portOf = (server: net.Server) => (server.address() as AddressInfo).port;
let proxy: ExaminingProxy;

beforeAll(async () => {
  await once(service.listen(0, '127.0.0.1'), 'listening');
  proxy = await openProxy({ upstream: `http://127.0.0.1:${portOf(service)}`, maxOpen: 2 });
});
afterAll(async () => {
  await proxy.close();
  service.close();
});
beforeEach(() => {
  got = [];
});

const connect = (bytes: string) => {
  const socket = net.connect(Number(new URL(proxy.url).port), '127.0.0.1').setEncoding('latin1');
  socket.write(bytes, 'latin1');
  return socket;
};
/** Sends bytes. Returns all that the proxy answers until it closes the connection. */
const send = async (bytes: string) => {
  let all = '';
  for await (const piece of connect(bytes)) all += piece;
  return all.replaceAll(/(Date|Via): .*\r\n/g, '');
};
const head = (path: string, more = 'Connection: close\r\n', method = 'GET', version = '1.1') =>
  `${method} ${path} HTTP/${version}\r\nHost: localhost\r\n${more}\r\n`;
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

test.each([
  ['a control character in a field', 'HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok'],
  ['a control character in its status line', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok'],
  ['a lone CR', 'HTTP/1.1 200 OK\r\nX: a\rb: c\r\nContent-Length: 2\r\n\r\nok'],
  ['the status 99', 'HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['the status 1000', 'HTTP/1.1 1000 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
  [
    'a length and chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  ['another transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['a switch to a protocol of its own', 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nhey'],
  ['a switch to nothing', 'HTTP/1.1 101 S\r\n\r\nhey'],
  ['a head of 1 MiB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1024 ** 2)}\r\n\r\n`],
  ['another protocol', 'SSH-2.0-service\r\n'],
])('a service that answers with %s gets nothing through but a 502', async (_, answer) => {
  answers['/odd'] = answer;
  for (const more of [undefined, UPGRADE]) {
    const text = await send(head('/odd', more));
    expect(statuses(text)).toEqual([502]);
    expect(text).toContain('answered with');
  }
  expect(statuses(await send(head('/ok')))).toEqual([200]);
});

test.each([undefined, UPGRADE])('passes bytes beyond ASCII and interim answers on as they are', async (more) => {
  expect(await send(head('/interim', more))).toBe(
    [
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n',
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 104 Upload Resumption Supported\r\n\r\n',
      'HTTP/1.1 200 Sch\xf6n\r\nX-Name: na\xefve\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    ].join(''),
  );
  // HTTP/1.0 has no interim answers, and no expectations (RFC 9110, sections 15.2 and 10.1.1).
  answers['/continue'] = `HTTP/1.1 100 Continue\r\n\r\n${answers['/interim']}`;
  const old = await send(head('/continue', 'Expect: 100-continue\r\n', 'GET', '1.0'));
  expect(statuses(old)).toEqual([200]);
  expect(got.at(-1)).not.toContain('Expect');
});

test('interim answers to pipelined requests stay before their own answers', async () => {
  const first = nextRequest();
  const client = connect(head('/silent', '') + head('/interim'));
  const held = await first;
  await expect.poll(() => got.length).toBe(2);
  held.write(OK);
  let all = '';
  for await (const piece of client) all += piece;
  expect(statuses(all)).toEqual([200, 103, 102, 104, 200]);
});

test('what a client sends is passed on as one request with one meaning, or not at all', async () => {
  // A target in absolute form replaces the field Host (RFC 9112, section 3.2.2).
  await send('GET http://127.0.0.1:1/ok HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  expect(got.pop()).toMatch(/^GET \/ok HTTP\/1\.1\r\nHost: 127\.0\.0\.1:1\r\n/);
  await send('GET /ok HTTP/1.0\r\n\r\n');
  expect(got.pop()).toMatch(/\r\nHost: 127\.0\.0\.1:\d+\r\n/);
  await send(head('/ok', undefined, 'PURGE'));
  expect(got.pop()).toMatch(/\r\nContent-Length: 0\r\n/);
  await send(`${head('/ok', 'Connection: close, Content-Length\r\nContent-Length: 2\r\n', 'POST')}xx`);
  expect(got.pop()).toMatch(/\r\nContent-Length: 2\r\n/);
  await send(head('/ok', 'Connection: Upgrade, X-Own, close\r\nX-Own: 1\r\nUpgrade: h2c\r\n'));
  expect(got.pop()).not.toContain('X-Own');
  // A handshake has no body, which the service could take for a request.
  await send(`${head('/ok', 'Connection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 2\r\n')}xx`);
  expect(got.pop()).not.toMatch(/websocket/i);
  got = [];
  const refused: [number, string][] = [
    [421, 'GET http://evil.example/ok HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
    [405, 'CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    [400, head('/a\tb')],
    [400, head('/a\tb', UPGRADE)],
    [400, head('/ok', 'X: a\rb\r\n')],
    [431, head('/ok', `X: ${'x'.repeat(100_000)}\r\n`)],
    [400, `${head('/ok', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', 'POST')}0\r\n\r\n`],
    [501, `${head('/ok', 'Connection: close\r\nTransfer-Encoding: gzip, chunked\r\n', 'POST')}0\r\n\r\n`],
    [501, `${head('/ok', 'Transfer-Encoding: odd\r\n', 'POST')}x`],
  ];
  for (const [status, bytes] of refused) expect(statuses(await send(bytes)), bytes.slice(0, 80)).toEqual([status]);
  expect(got).toEqual([]);
});

test('answers pipelined requests whose upgrade is ignored, each in its turn', async () => {
  const asks = head('/ok', 'Connection: Upgrade\r\nUpgrade: foo\r\n').repeat(20);
  expect(statuses(await send(asks + head('/ok')))).toEqual(Array(21).fill(200));
});

test('sends the head of a request before its body has come', async () => {
  const client = connect(head('/ok', 'Content-Length: 5\r\n', 'POST'));
  expect(String(await once(client, 'data'))).toMatch(/^HTTP\/1\.1 200 /);
  client.destroy();
});

test('reads the early answer of a service that no longer takes the body', async () => {
  const upstream = new Upstream(`http://127.0.0.1:${portOf(service)}`, false);
  const fields = ['Host', 'localhost', 'Content-Length', '1000000'];
  const sent = upstream.request({ method: 'POST', path: '/large', fields, isFresh: true });
  // The connection is closed here at once. The proxy writes before it can read, in ticks of one turn of the event loop: the
  // first write is answered with a reset, and the next one fails.
  const writeAgain = (left: number): void => {
    sent.write('x');
    if (left > 0) process.nextTick(writeAgain, left - 1);
  };
  answers['/large'] = (socket) => {
    socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n');
    socket.destroy();
    writeAgain(5);
  };
  sent.write('x');
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(413);
  sent.destroy();
  upstream.close();
});

test('requests and WebSockets share one limit', async () => {
  const socket = connect(head('/socket', UPGRADE));
  await once(socket, 'data');
  const arrived = nextRequest();
  const held = connect(head('/silent'));
  await arrived;
  for (const more of [undefined, UPGRADE]) expect(statuses(await send(head('/ok', more)))).toEqual([503]);
  socket.destroy();
  await expect.poll(async () => statuses(await send(head('/ok')))).toEqual([200]);
  held.destroy();
});

test('ends a handshake that the service leaves open, of a WebSocket and of TLS', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const arrived = nextRequest();
    const refused = once(connect(head('/silent', UPGRADE)), 'data');
    const connection = await arrived;
    vi.advanceTimersByTime(HANDSHAKE_MS);
    expect(String(await refused)).toMatch(/^HTTP\/1\.1 504 /);
    if (!connection.closed) await once(connection, 'close');

    const upstream = new Upstream(`https://127.0.0.1:${portOf(service)}`, true);
    const sent = upstream.request({ method: 'GET', path: '/', fields: ['Host', 'localhost'], isFresh: true });
    const failed = once(sent, 'error');
    sent.end();
    const [opening] = (await once(sent, 'socket')) as [net.Socket];
    await once(opening, 'connect');
    vi.advanceTimersByTime(10_000);
    expect(upstream.unreachable((await failed)[0])).toMatchObject({ status: 504 });
  } finally {
    vi.useRealTimers();
  }
});

test('pauses the service when 64 KiB wait for a delay', () => {
  const faults = new Faults(['delay=60000']);
  let isPaused = false;
  const held = new HeldAnswer(faults, (pause) => {
    isPaused = pause;
  });
  for (let i = 0; i < 64; i += 1) held.add(1024, () => true);
  expect(isPaused).toBe(false);
  held.add(1, () => true);
  expect(isPaused).toBe(true);
  faults.set('delay', null);
  held.move();
  expect(isPaused).toBe(false);
  held.close();
});

test('keeps a bounded number of the pieces of a stream', async () => {
  const rulesAfter = async (pieces: number) => {
    const traffic = new PassingTraffic('http://localhost:1');
    const fields = { rawHeaders: [], httpVersion: '1.1' };
    const req = { ...fields, method: 'GET', headers: {} } as unknown as IncomingMessage;
    const observer = traffic.observe(req, '/', () => {});
    const headers = { 'content-type': 'text/event-stream' };
    observer.head({ ...fields, statusCode: 200, headers } as unknown as IncomingMessage);
    for (let i = 0; i < pieces; i += 1) observer.piece(Buffer.from(':'));
    observer.piece(Buffer.from('\n\ndata: 1\n\ndata: 2\n\n'));
    return (await traffic.examine()).findings.map(({ rule }) => rule);
  };
  expect(await rulesAfter(10)).toContain('stream-no-ids');
  expect(await rulesAfter(50_000)).not.toContain('stream-no-ids');
});
