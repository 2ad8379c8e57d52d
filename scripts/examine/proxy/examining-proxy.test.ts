import { once } from 'node:events';
import http, { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { textReport } from '../report.js';
import { type ExaminingProxy, openProxy } from './examining-proxy.js';
import { FAULT_NAMES } from './faults.js';
import { passedFields } from './fields.js';
import { Upstream } from './upstream.js';

/** A service that answers each path in one way, and keeps what it was asked. */
let service: Server;
let proxy: ExaminingProxy;
const asked: { req: IncomingMessage; res: ServerResponse; body: Promise<string> }[] = [];
/** Resolves with the next request of a path. */
const waiting = new Map<string, (res: ServerResponse) => void>();
const next = (path: string) => new Promise<ServerResponse>((resolve) => waiting.set(path, resolve));

const text = async (message: IncomingMessage) => {
  let all = '';
  for await (const piece of message.setEncoding('utf8')) all += piece;
  return all;
};

const answers: Record<string, (res: ServerResponse, req: IncomingMessage) => void> = {
  '/json': (res) =>
    res.writeHead(200, { 'Content-Type': 'application/json', 'Set-Cookie': ['a=1', 'b=2'] }).end('{"n":1}'),
  '/stream': (res) => res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(': open\n\n'),
  '/moved': (res) => res.writeHead(302, { Location: `${origin()}/json` }).end(),
  '/breaks': (res) => {
    res.writeHead(200).write('half');
    setImmediate(() => res.destroy());
  },
  '/part': (res) => res.writeHead(206, { 'Content-Type': 'application/zip', 'Content-Range': 'bytes 0-1/9' }).end('ab'),
  '/raw': (res, req) =>
    res.writeHead(200, { Connection: 'X-Own', 'X-Own': '1', 'Keep-Alive': 'timeout=9' }).end(req.method),
};

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const origin = () => `http://127.0.0.1:${portOf(service)}`;

beforeAll(async () => {
  service = createServer((req, res) => {
    const path = req.url!.split('?')[0]!;
    asked.push({ req, res, body: text(req) });
    answers[path]?.(res, req);
    waiting.get(path)?.(res);
  });
  service.on('upgrade', (_req, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.on('data', (bytes) => socket.write(bytes)).on('error', () => {});
  });
  await once(service.listen(0, '127.0.0.1'), 'listening');
  proxy = await openProxy({ upstream: origin() });
});
afterAll(async () => {
  await proxy.close();
  service.closeAllConnections();
  service.close();
});
beforeEach(() => {
  for (const name of FAULT_NAMES) proxy.faults.set(name, null);
});

/** A request through the proxy, as it is on the wire: `fetch` adds fields of its own, and allows no Host. */
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET', to = proxy.url) => {
  const sent = http.request(new URL(path, to), { method, headers, agent: false });
  const answer = once(sent, 'response').then(([message]) => message as IncomingMessage);
  return { sent, answer };
};
const get = async (path: string, headers: Record<string, string> = {}, to = proxy.url) => {
  const { sent, answer } = ask(path, headers, 'GET', to);
  sent.end();
  const message = await answer;
  return { message, status: message.statusCode, headers: message.headers, body: await text(message) };
};
/** Collects what comes of a body. */
const collect = (message: IncomingMessage) => {
  let all = '';
  message.setEncoding('utf8').on('data', (piece) => {
    all += piece;
  });
  return () => all;
};
const rows = () => proxy.ledger.read(null).map((row) => JSON.parse(row.json()));

test('passes fields on, but for those of the connection', () => {
  const raw = [
    'Host',
    'h',
    'Connection',
    'close, X-Own, Content-Length',
    'X-Own',
    '1',
    'TE',
    'trailers',
    'X-A',
    '1',
    'x-a',
    '2',
  ];
  expect(passedFields([...raw, 'Content-Length', '3', 'Prefer', 'wait=1'], '1.0', ['prefer'])).toEqual([
    ...['Host', 'h', 'X-A', '1', 'x-a', '2', 'Content-Length', '3', 'Via', '1.0 polling-lab-examine'],
  ]);
});

test('passes requests and answers on as they are, and adds Via to both', async () => {
  const { status, body, headers } = await get('/json?token=s3cret&page=2', { Prefer: 'wait=1', Cookie: 'c=1' });
  expect([status, body, headers['set-cookie'], headers.via]).toEqual([
    ...[200, '{"n":1}', ['a=1', 'b=2'], '1.1 polling-lab-examine'],
  ]);
  const { req } = asked.at(-1)!;
  expect(req.url).toBe('/json?token=s3cret&page=2');
  expect(req.headers).toMatchObject({
    via: '1.1 polling-lab-examine',
    prefer: 'wait=1',
    host: new URL(proxy.url).host,
  });
  const raw = await get('/raw');
  expect([raw.headers['x-own'], raw.headers['keep-alive']]).not.toContain('1');
  expect(raw.headers['keep-alive']).not.toBe('timeout=9');
  expect((await get('/moved')).headers.location).toBe(`${proxy.url}/json`);
  const row = rows().find(({ route }) => route.startsWith('/json'));
  expect(row).toMatchObject({ route: '/json?token=…&page=2', status: 200, method: 'GET' });
  expect(JSON.stringify(rows())).not.toContain('s3cret');
});

test('streams a body through in both directions, before it has ended', async () => {
  const arrived = next('/upload');
  const { sent, answer } = ask('/upload', {}, 'POST');
  sent.write('first');
  const res = await arrived;
  const body = asked.at(-1)!.body;
  res.writeHead(200).write('seen');
  const [piece] = await once(await answer, 'data');
  expect(String(piece)).toBe('seen');
  sent.end(' second');
  expect(await body).toBe('first second');
  res.end();
});

test('leaves it to the service whether a body shall come (Expect: 100-continue)', async () => {
  const arrived = next('/expects');
  const { sent, answer } = ask('/expects', { Expect: '100-continue' }, 'POST');
  sent.flushHeaders();
  await once(sent, 'continue');
  sent.end('body');
  (await arrived).end();
  await answer;
  expect(await asked.at(-1)!.body).toBe('body');
  expect(asked.at(-1)!.req.headers.expect).toBe('100-continue');
});

test('sends a GET again whose kept connection the service has closed, and no POST', async () => {
  let [connections, requests] = [0, 0];
  // Each connection answers once, says that it may be used again, and is closed at the next request.
  const closing = net.createServer((socket) => {
    connections += 1;
    let answered = false;
    socket
      .on('error', () => {})
      .on('data', () => {
        requests += 1;
        if (answered) return socket.destroy();
        answered = true;
        return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
  });
  await once(closing.listen(0, '127.0.0.1'), 'listening');
  const flaky = await openProxy({ upstream: `http://127.0.0.1:${(closing.address() as AddressInfo).port}` });
  try {
    expect((await get('/', {}, flaky.url)).status).toBe(200);
    expect((await get('/', {}, flaky.url)).status).toBe(200);
    expect([connections, requests]).toEqual([2, 3]);
    expect((await get('/', {}, flaky.url)).status).toBe(200);
    const { sent, answer } = ask('/', {}, 'POST', flaky.url);
    sent.end();
    expect((await answer).statusCode).toBe(502);
    expect([connections, requests]).toEqual([3, 5]);
  } finally {
    await flaky.close();
    closing.close();
  }
});

test('keeps connections, and answers pipelined requests in their order', async () => {
  const socket = net.connect(Number(new URL(proxy.url).port), '127.0.0.1');
  const head = (path: string, close = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`;
  socket.write(head('/json') + head('/raw', 'Connection: close\r\n'));
  let all = '';
  for await (const piece of socket.setEncoding('utf8')) all += piece;
  expect(all.match(/\{"n":1\}|GET$|GET(?=\r)/g)).toEqual(['{"n":1}', 'GET']);
  const [one, two] = rows().slice(-2);
  expect(one.connection).toBe(two.connection);
});

test('passes WebSockets on, and treats another upgrade as if it had not been asked for', async () => {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket' };
  const { sent } = ask('/socket?key=s3cret', headers);
  sent.end();
  const [, socket] = (await once(sent, 'upgrade')) as [IncomingMessage, net.Socket];
  socket.write('echo');
  expect(String((await once(socket, 'data'))[0])).toBe('echo');
  socket.destroy();
  expect(rows().at(-1)).toMatchObject({ route: '/socket?key=…', status: 101 });
  const h2c = await get('/raw', {
    Connection: 'Upgrade, HTTP2-Settings',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AAMAAABk',
  });
  expect([h2c.status, h2c.body]).toEqual([200, 'GET']);
  expect(asked.at(-1)!.req.headers).not.toHaveProperty('http2-settings');
});

test('translates between the origin of the proxy and that of the service', () => {
  const local = new Upstream('https://localhost:3443', true);
  expect(local.hostFor('localhost:2')).toBe('localhost:2');
  expect(local.originFor('http://localhost:2', 'localhost:2')).toBe('https://localhost:2');
  for (const origin of ['https://localhost:3443', 'https://localhost:2'])
    expect(local.locationFor(`${origin}/a?b#c`, 'localhost:2')).toBe('http://localhost:2/a?b#c');
  const remote = new Upstream('https://api.example', false);
  expect(remote.hostFor('localhost:2')).toBe('api.example');
  expect(remote.originFor('http://localhost:2', 'localhost:2')).toBe('https://api.example');
  for (const upstream of [local, remote]) {
    expect(upstream.originFor('http://evil.example', 'localhost:2')).toBe('http://evil.example');
    for (const url of ['/a', '//evil.example', 'https://evil.example/', 'http://[', ''])
      expect(upstream.locationFor(url, 'localhost:2')).toBe(url);
    upstream.close();
  }
});

test('says what is wrong when the service is not there, or breaks off', async () => {
  const dead = await openProxy({ upstream: 'http://127.0.0.1:1' });
  const { status, headers, body } = await get('/', {}, dead.url);
  await dead.close();
  expect([status, headers['content-type']]).toEqual([502, 'application/problem+json']);
  expect(JSON.parse(body).detail).toBe(
    'The service at http://127.0.0.1:1 could not be reached (ECONNREFUSED). Start it; the proxy need not be started again.',
  );
  await expect(get('/breaks')).rejects.toThrow(/aborted/);
});

test.each(['127.0.0.1:3000', 'localhost:1/path', 'ftp://localhost', 'http://u:s3cret@localhost'])(
  '--proxy %s is an error in plain words',
  async (upstream) => {
    const opened = openProxy({ upstream });
    await expect(opened).rejects.toThrow(/--proxy expects the address of a service/);
    await expect(opened).rejects.not.toThrow(/s3cret/);
  },
);

test.each(['cut=0', 'cut', 'cut=1.5', 'delay=99999999', 'toString=1', 'drop-prefer=2', ''])(
  '--fault %s is an error in plain words',
  async (fault) => {
    await expect(openProxy({ upstream: origin(), faults: [fault] })).rejects.toThrow(
      /expects a whole number|Expected a fault/,
    );
  },
);

test('buffer holds an answer back, its head too, until enough has come', async () => {
  proxy.faults.set('buffer', 20);
  const asking = next('/stream');
  const { sent, answer } = ask('/stream');
  sent.end();
  const res = await asking;
  res.write('data: 1\n\n'); // 18 bytes, with the comment
  let isAnswered = false;
  void answer.then(() => {
    isAnswered = true;
  });
  expect((await get('/raw')).status).toBe(200); // it ended: nothing more is to come
  expect(isAnswered).toBe(false);
  res.write('data: 2\n\n');
  const message = await answer;
  const got = collect(message);
  await expect.poll(got).toBe(': open\n\ndata: 1\n\ndata: 2\n\n');
  res.write('data: 3\n\n');
  proxy.faults.set('buffer', null); // lets go of what waits
  await expect.poll(got).toMatch(/data: 3\n\n$/);
  message.destroy();
});

test('delay passes pieces on later, in their order', async () => {
  proxy.faults.set('delay', 100);
  const began = performance.now();
  const { body } = await get('/json');
  expect([body, performance.now() - began >= 99]).toEqual(['{"n":1}', true]);
});

test('cut breaks an answer that lasts, also one that was open when it was switched on', async () => {
  const { sent, answer } = ask('/stream');
  sent.end();
  const whole = answer.then(text);
  await answer;
  proxy.faults.set('cut', 1);
  await expect(whole).rejects.toThrow(/aborted/);
});

test('idle closes what is silent, and answers 504 where nothing has begun', async () => {
  const { sent, answer } = ask('/stream');
  sent.end();
  const whole = answer.then(text);
  await answer;
  proxy.faults.set('idle', 1);
  const [{ status, body }] = await Promise.all([get('/held'), expect(whole).rejects.toThrow(/aborted/)]);
  expect([status, JSON.parse(body).detail]).toEqual([504, expect.stringContaining('fault "idle" is on')]);
});

test('drop-prefer drops it', async () => {
  proxy.faults.set('drop-prefer', 1);
  await get('/json', { Prefer: 'wait=1' });
  expect(asked.at(-1)!.req.headers).not.toHaveProperty('prefer');
});

test('neither port answers for the name of a site (DNS rebinding)', async () => {
  const before = asked.length;
  for (const url of [proxy.url, proxy.pageUrl])
    expect((await get('/', { Host: 'evil.example' }, url)).status).toBe(421);
  expect(asked.length).toBe(before);
});

test('no page but its own switches a fault or reads the traffic', async () => {
  const change = async (headers: Record<string, string>, body = '{"name":"cut","value":5}') => {
    const { sent, answer } = ask('/faults', { 'Content-Type': 'application/json', ...headers }, 'POST', proxy.pageUrl);
    sent.end(body);
    return (await answer).statusCode;
  };
  for (const Origin of [proxy.url, 'http://evil.example', 'null', 'http://localhost:1'])
    expect(await change({ Origin })).toBe(403);
  expect(await change({ 'Sec-Fetch-Site': 'same-site' })).toBe(403);
  expect(await change({ 'Content-Type': 'text/plain' })).toBe(415);
  expect(await change({}, '{"name":"__proto__","value":5}')).toBe(400);
  expect(await change({}, 'null')).toBe(400);
  const large = await change({}, ' '.repeat(2_000));
  expect(large).toBe(413);
  expect(String(proxy.faults)).toBe('');
  expect((await get('/traffic', { Origin: proxy.url }, proxy.pageUrl)).status).toBe(403);
  expect(await change({ Origin: proxy.pageUrl })).toBe(204);
  expect(String(proxy.faults)).toBe('cut=5');
  const page = await get('/', {}, proxy.pageUrl);
  expect(page.headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  expect(page.body).toContain(proxy.url);
});

test('the traffic stream tells of faults and rows', async () => {
  const { sent, answer } = ask('/traffic', {}, 'GET', proxy.pageUrl);
  sent.end();
  const message = await answer;
  const got = collect(message);
  await expect.poll(got).toMatch(/event: faults\ndata: \{\}\n\nevent: traffic\ndata: \{"requests":\[/);
  proxy.faults.set('delay', 1);
  await expect.poll(got).toContain('event: faults\ndata: {"delay":1}');
  message.destroy();
});

test('says at the end what could be seen: polls without news, a stream without ids', async () => {
  for (let i = 0; i < 6; i += 1) {
    await get('/json?poll=s3cret');
    await get('/part', { Range: 'bytes=0-1' });
  }
  const asking = next('/stream');
  const { sent, answer } = ask('/stream?again=1', { Accept: 'text/event-stream' });
  sent.end();
  (await asking).end('data: 1\n\ndata: 2\n\n');
  await text(await answer);
  const examination = await proxy.traffic.examine();
  const report = textReport(examination);
  const found = examination.findings.map(({ rule, severity, saw }) => `${severity} ${rule} ${saw}`).join('\n');
  expect(found).toMatch(/warning recording-polling .*\/json\?poll=…: 6 times.*; 5 of them said nothing new/);
  expect(found).toMatch(/warning stream-no-ids .*again=1: None of 2 events has an id/);
  expect(found).not.toContain('/part');
  expect(report).not.toContain('s3cret');
});
