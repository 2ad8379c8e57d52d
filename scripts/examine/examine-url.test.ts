import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGzip, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../test/random.js';
import { type ExamineOptions, examineUrl } from './examine-url.js';
import { shownUrl } from './redact.js';
import { exitCode, junitReport, textReport } from './report.js';

/** One stream of numbered events for all connections, 10 ms apart, and one misbehavior for each path. */
let server: Server;
/** The same on another port: another origin. */
let elsewhere: Server;
const portOf = (each: Server) => (each.address() as AddressInfo).port;
let url: string;
const asked: { method: string; path: string }[] = [];
/** Headers of the last request. */
let lastHeaders: IncomingMessage['headers'] = {};
/** What a person does, at a point that a path chooses: press Ctrl-C. */
let leave = () => {};
let last = 0;
let whole: ServerResponse | undefined;
const listeners = new Set<(id: number) => void>();
const ticking = setInterval(() => {
  last += 1;
  for (const listener of listeners) listener(last);
}, 10);

const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20));

const stream = { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' };
const eventText = (id: number) => `id: ${id}\ndata: event ${id}\n\n`;

interface Faults {
  headers?: Record<string, string>;
  /** Which id comes first, for a reader that comes back. Default: the next one. */
  from?: (lastId: number) => number;
  text?: (id: number) => string;
  /** How many events this reader is behind the others. Default: 0. */
  behind?: number;
}

/** Sends a response head, and the events after `Last-Event-ID` or from now on. */
function follow(
  request: IncomingMessage,
  response: ServerResponse,
  { headers = stream, from, text = eventText, behind = 0 }: Faults,
) {
  response.writeHead(200, headers).write('retry: 2000\n\n');
  const { 'last-event-id': lastId } = request.headers;
  let next = lastId === undefined ? last + 1 : (from ?? ((id) => id + 1))(Number(lastId));
  const send = () => {
    for (; next <= last - behind; next += 1) response.write(text(next));
  };
  send();
  listeners.add(send);
  response.on('close', () => listeners.delete(send));
}

const paths: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/good': (request, response) => follow(request, response, {}),
  '/ignores': (request, response) => follow(request, response, { from: () => last + 2 }),
  // The reader that is never cut, which comes first, gets each event after the others.
  '/ignores-whole-is-behind': (request, response) => {
    whole ??= response;
    follow(request, response, { from: () => last + 2, behind: response === whole ? 1 : 0 });
  },
  '/repeats': (request, response) => follow(request, response, { from: (id) => id - 2 }),
  '/inclusive': (request, response) => follow(request, response, { from: (id) => id }),
  '/no-ids': (request, response) => follow(request, response, { text: (id) => `data: ${id}\n\n` }),
  '/wrong-type': (request, response) => follow(request, response, { headers: { 'content-type': 'text/plain' } }),
  '/cacheable': (request, response) =>
    follow(request, response, { headers: { ...stream, 'cache-control': 'max-age=60' } }),
  '/no-data': (request, response) => follow(request, response, { text: (id) => `${eventText(id)}event: ping\n\n` }),
  '/refuses': (request, response) =>
    request.headers['last-event-id'] ? response.writeHead(400).end() : follow(request, response, {}),
  '/starts-again': (request, response) => {
    // Each connection counts its own events, and none looks at Last-Event-ID.
    const base = last;
    follow(request, response, { from: () => last + 1, text: (id) => `id: ${id - base}\ndata: ${Math.random()}\n\n` });
  },
  '/any-origin': (request, response) => {
    const { origin } = request.headers;
    const cors = origin && { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' };
    follow(request, response, { headers: { ...stream, ...cors } });
  },
  '/ends': (_request, response) => response.writeHead(200, stream).end('id: 1\ndata: all\n\n'),
  '/over': (request, response) =>
    request.headers['last-event-id']
      ? response.writeHead(204).end()
      : response.writeHead(200, stream).end('id: 1\ndata: all\n\n'),
  '/breaks': (_request, response) => {
    response.writeHead(200, stream).write(eventText(1));
    setImmediate(() => response.destroy());
  },
  '/gzip': (request, response) => {
    if (!/gzip/.test(String(request.headers['accept-encoding']))) return follow(request, response, {});
    const zip = createGzip();
    zip.pipe(response.writeHead(200, { ...stream, 'content-encoding': 'gzip' }));
    zip.write('data: compressed\n\n');
    return zip.flush();
  },
  '/bomb': (_request, response) =>
    // 64 MiB of nothing, in 64 KiB.
    response.writeHead(200, { ...stream, 'content-encoding': 'gzip' }).end(bomb),
  '/endless': (_request, response) => {
    response.writeHead(200, stream);
    const more = () => {
      while (!response.destroyed && response.write(`data: ${'x'.repeat(65_536)}`));
    };
    response.on('drain', more);
    more();
  },
  '/circle': (_request, response) => response.writeHead(302, { location: '/circle' }).end(),
  // Node's `writeProcessing` would wait for a tick: all come in one packet, the answer, too.
  '/interim': (_request, response) =>
    response.socket!.end(
      `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`,
    ),
  '/controls': (_request, response) => response.writeHead(200, stream).end('\u001b[31mred: x\n\ndata: 1\n\n'),
  '/private': (_request, response) => response.writeHead(302, { location: '/login' }).end(),
  '/login': (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<form><input type="password"></form>'),
  '/elsewhere': (_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${portOf(elsewhere)}/204` }).end(),
  '/bad-location': (_request, response) => response.writeHead(302, { location: 'http://' }).end(),
  '/silent': () => leave(),
  '/own': (request, response) => {
    // Each connection has a stream of its own. The first that is cut has a `Last-Event-ID` when it comes back.
    if (request.headers['last-event-id']) return;
    response.writeHead(200, stream).write(`id: ${Math.random()}\ndata: x\n\n`);
    if (!request.headers.origin) response.on('close', () => leave());
  },
  '/204': (_request, response) => response.writeHead(204).end(),
  '/503': (_request, response) => response.writeHead(503, { 'retry-after': '5' }).end(),
  '/401': (_request, response) => response.writeHead(401).end(),
};

beforeAll(async () => {
  const listener: RequestListener = (request, response) => {
    const path = request.url!.split('?')[0]!;
    asked.push({ method: request.method!, path });
    lastHeaders = request.headers;
    const answer = paths[path];
    if (answer) answer(request, response);
    else response.writeHead(404).end();
  };
  [server, elsewhere] = [createServer(listener), createServer(listener)];
  for (const each of [server, elsewhere]) await once(each.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${portOf(server)}`;
});
afterAll(async () => {
  clearInterval(ticking);
  for (const each of [server, elsewhere]) {
    each.closeAllConnections();
    await new Promise((resolve) => each.close(resolve));
  }
});

/** Rules that compare times: `stream/stream-rules.test.ts` tests them, with times of its own. */
const timed = ['stream-buffered', 'stream-head-late', 'stream-silence'];

const examine = (path: string, options: Partial<ExamineOptions> = {}) =>
  examineUrl({ url: url + path, forMs: 30_000, quick: true, random: seededRandom(7), off: timed, ...options });

/** What is a note for every server of these tests: they speak HTTP/1.1, and allow no other origin. */
const always = ['stream-cors', 'stream-six-connections'];

test.concurrent.each([
  ['/good', []],
  ['/ignores', ['serious stream-lost-on-resume']],
  ['/ignores-whole-is-behind', ['serious stream-lost-on-resume']],
  ['/repeats', ['serious stream-repeated-on-resume']],
  ['/inclusive', ['warning stream-repeated-on-resume']],
  ['/starts-again', ['serious stream-repeated-on-resume']],
  ['/refuses', ['serious stream-resume-refused']],
  ['/no-ids', ['warning stream-no-ids']],
  ['/wrong-type', ['serious stream-type', 'warning stream-caching', 'note stream-proxy-hints']],
  ['/cacheable', ['warning stream-caching', 'note stream-proxy-hints']],
  ['/no-data', ['warning stream-format']],
  ['/any-origin', ['warning stream-cors']],
  ['/gzip', ['note stream-compressed']],
  ['/ends', ['warning stream-ends', 'note stream-retry']],
  ['/over', ['note stream-retry']],
  ['/breaks', ['serious stream-cut', 'note stream-retry']],
  ['/private', ['serious answer-login-page']],
  ['/204', ['note answer-204']],
  ['/503', ['serious answer-unavailable']],
  ['/401', ['warning answer-refused']],
])('%s: %j', async (path, expected) => {
  const examination = await examine(path);
  const found = examination.findings
    .filter(({ rule, severity }) => severity !== 'note' || !always.includes(rule))
    .map(({ rule, severity }) => `${severity} ${rule}`);
  expect(found, textReport(examination)).toEqual(expected);
  expect(exitCode(examination)).toBe(expected.some((each) => each.startsWith('serious')) ? 1 : 0);
});

test('bears an answer that is endless, or that unpacks to 64 MiB', async () => {
  expect((await examine('/endless', { forMs: 5_000 })).summary).toContain('0 events');
  expect((await examine('/bomb', { forMs: 5_000 })).summary).toContain('0 events');
});

test('follows no redirects in a circle, and no answer after dozens of interim ones', async () => {
  asked.length = 0;
  await expect(examine('/circle')).rejects.toThrow(/redirects more than 5 times.* Expected an answer\./);
  expect(asked).toHaveLength(6);
  await expect(examine('/interim')).rejects.toThrow('more than 32 interim responses and no answer');
});

test('shows no control character of an answer', async () => {
  const examination = await examine('/controls');
  expect(examination.findings.map(({ rule }) => rule)).toContain('stream-format');
  expect(textReport(examination)).not.toContain('\u001b');
});

test('sends what it says, and nothing but GET', async () => {
  asked.length = 0;
  const lines: string[] = [];
  const { requests } = await examine('/good', { say: (line) => lines.push(line) });
  expect(lines.join(' ')).toContain('at most 12 GET requests');
  expect(requests).toBeLessThanOrEqual(12);
  expect(asked).toEqual(Array(requests).fill({ method: 'GET', path: '/good' }));
});

test('sends another method once', async () => {
  asked.length = 0;
  await examine('/no-ids', { method: 'POST', body: '{}' });
  expect(asked).toEqual([{ method: 'POST', path: '/no-ids' }]);
});

test('applies no rule that is switched off', async () => {
  const { findings, rules } = await examine('/ignores', { off: ['stream-lost-on-resume'] });
  expect(findings.map(({ rule }) => rule)).not.toContain('stream-lost-on-resume');
  expect(rules).not.toContain('stream-lost-on-resume');
});

test('shows no secret of the URL, in any report', async () => {
  const examination = await examine('/ends?access_token=s3cret&page=2');
  for (const text of [textReport(examination), junitReport(examination), JSON.stringify(examination)]) {
    expect(text).not.toContain('s3cret');
  }
  expect(examination.subject).toBe(`${url}/ends?access_token=…&page=2`);
});

test.each([
  ['ftp://localhost/', /Expected a URL that begins with http/],
  ['nonsense', /Expected a URL that begins with http/],
  ['http://127.0.0.1:1/', /could not be reached: ECONNREFUSED/],
])('%s is an error in plain words', async (bad, message) => {
  await expect(examineUrl({ url: bad, forMs: 1_000 })).rejects.toThrow(message);
});

test.each(['/silent', '/own'])('%s: ends at once when it is aborted', async (path) => {
  const stopping = new AbortController();
  leave = () => stopping.abort(new Error('Stopped.'));
  await expect(examine(path, { signal: stopping.signal, random: () => 0 })).rejects.toThrow('Stopped.');
});

test('cannot follow a redirect to what is no URL, and says so', async () => {
  await expect(examine('/bad-location')).rejects.toThrow(/redirects to "http:\/\/"\. Expected a "Location"/);
});

test("sends the user's headers to the origin that the user named only", async () => {
  const lines: string[] = [];
  const headers = { 'x-api-key': 's3cret', accept: 'text/s3cret' };
  await examine('/elsewhere', { headers, say: (line) => lines.push(line) });
  expect(lastHeaders.host).toBe(`127.0.0.1:${portOf(elsewhere)}`);
  expect(JSON.stringify(lastHeaders)).not.toContain('s3cret');
  expect(lines.at(-1)).toContain('your headers are not sent');
  await examine('/204', { headers });
  expect(lastHeaders).toMatchObject(headers);
});

test.each([
  ['http://user:s3cret@host:99999/path?q=s3cret', 'http://…@host:99999/path?…'],
  ['http://user:s3cret@host:99999?to=a@b&token=s3cret', 'http://…'],
  ['http://user:s3c?ret@host:99999/', 'http://…'],
  ['user:s3cret@host:3000/', '…@host:3000/'],
  ['redis://user:s3cret@host/0', 'redis://…@host/0'],
  ['http://host:99999/path', 'http://host:99999/path'],
])('%s is shown as %s', (given, shown) => {
  expect(shownUrl(given)).toBe(shown);
});
