import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExamineOptions, examineUrl } from '../examine-url.js';
import type { Exchange } from '../exchange.js';
import { judge } from '../finding.js';
import { textReport } from '../report.js';
import { answerRules } from './answer-rules.js';

let server: Server;
let url: string;
const asked: string[] = [];
let tags = 0;
const jobs = new Map<string, string>();

const json = (
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: unknown = { state: 'running' },
) =>
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
    .end(JSON.stringify(body));
const problem = (response: ServerResponse, status: number) =>
  json(response, status, { 'content-type': 'application/problem+json' }, { status });
const tagged = (request: IncomingMessage, response: ServerResponse) =>
  request.headers['if-none-match'] === '"1"'
    ? response.writeHead(304, { etag: '"1"' }).end()
    : json(response, 200, { etag: '"1"', 'preference-applied': 'wait=2' });

const paths: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
  '/good': tagged,
  '/ignores-etag': (_request, response) => json(response, 200, { etag: '"1"' }),
  '/changing-etag': (_request, response) => json(response, 200, { etag: `"${tags++}"` }),
  '/plain': (_request, response) => json(response, 200, {}),
  '/cached': (_request, response) => json(response, 200, { etag: '"1"', 'cache-control': 'max-age=60' }, tags++),
  '/gateway': (request, response) =>
    request.headers.prefer ? response.writeHead(504).end() : tagged(request, response),
  '/not-yet': (_request, response) => json(response, 202, {}),
  '/jobs': (request, response) => {
    const key = String(request.headers['idempotency-key']);
    const id = jobs.get(key) ?? String(jobs.size + 1);
    jobs.set(key, id);
    json(response, 202, { location: '/good', 'retry-after': '1' }, { id });
  },
  '/careless': (_request, response) => json(response, 202, { location: `/gone/${tags++}`, 'retry-after': '1' }),
  '/nowhere': (_request, response) => json(response, 202, { 'retry-after': '1' }),
  '/lines': (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).write('{"n":1}\n'),
  '/breaks': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100', etag: '"1"' });
    response.write('{"n":', () => response.destroy());
  },
};

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const answer = paths[request.url!];
    if (answer) answer(request, response);
    else problem(response, 404);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** `poll-not-held` compares times: it is tested below, with times of its own. */
const examine = async (path: string, options: Partial<ExamineOptions> = {}) => {
  const examination = await examineUrl({ url: url + path, forMs: 30_000, off: ['poll-not-held'], ...options });
  return {
    found: examination.findings.map(({ severity, rule }) => `${severity} ${rule}`),
    text: textReport(examination),
  };
};

test.each<[string, Partial<ExamineOptions>, string[]]>([
  ['/good', {}, []],
  ['/ignores-etag', {}, ['warning poll-304-ignored']],
  ['/changing-etag', {}, ['warning poll-etag-changes']],
  ['/plain', {}, ['note poll-no-validator']],
  ['/cached', {}, ['warning poll-cached']],
  ['/gateway', {}, ['serious poll-wait-fails']],
  ['/not-yet', {}, ['note poll-no-retry-after']],
  ['/jobs', { method: 'POST' }, []],
  ['/jobs', { method: 'POST', twice: true }, []],
  ['/careless', { method: 'POST' }, ['serious submit-not-found']],
  ['/careless', { method: 'POST', twice: true }, ['serious submit-not-found', 'serious submit-repeated']],
  ['/nowhere', { method: 'POST' }, ['warning submit-no-location']],
  ['/lines', { forMs: 500 }, ['note answer-unending']],
  ['/breaks', {}, ['serious answer-cut']],
])('%s %j: %j', async (path, options, expected) => {
  const { found, text } = await examine(path, options);
  expect(found, text).toEqual(expected);
});

test('asks only once for an answer that does not end', async () => {
  asked.length = 0;
  await examine('/lines', { forMs: 500 });
  expect(asked).toEqual(['GET /lines']);
});

test.each([
  ['', 'The response head came, and nothing of the body within 8 s.'],
  [
    '{"n":1}\n\n{"n":2}\n{"n"',
    'The body did not end within 8 s: 2 lines of JSON came, and the longest silence was 7 s.',
  ],
  ['one\n', 'The body did not end within 8 s: 1 piece came, and the longest silence was 7 s.'],
])('a body that is %j so far', (text, saw) => {
  const pieces = text ? [{ at: 1_000, bytes: Buffer.from(text) }] : [];
  const exchange = {
    status: 200,
    headers: {},
    headAt: 500,
    now: 8_000,
    text,
    pieces,
    bytes: text.length,
    ask: { url },
  };
  const seen = { exchange: exchange as unknown as Exchange, kind: 'answer' } as const;
  expect(judge(answerRules, seen).find(({ rule }) => rule === 'answer-unending')?.saw).toBe(saw);
});

test('sends a submit once, and twice only if that was asked for', async () => {
  asked.length = 0;
  await examine('/jobs', { method: 'POST', body: '{}' });
  expect(asked.filter((each) => each.startsWith('POST'))).toHaveLength(1);
  expect(asked.filter((each) => !each.startsWith('POST')).every((each) => each.startsWith('GET /good'))).toBe(true);
  const before = jobs.size;
  await examine('/jobs', { method: 'POST', body: '{}', twice: true });
  expect(jobs.size).toBe(before + 1);
});

test.each([
  [30, {}, 'note'],
  [2_010, {}, undefined],
  [30, { 'preference-applied': 'wait=2' }, undefined],
])('an answer to Prefer: wait=2 after %i ms with %j', (headAt, headers, expected) => {
  const exchange = { status: 200, headers, headAt, endedAt: headAt, ask: { url } } as unknown as Exchange;
  const seen = { exchange, kind: 'answer', waited: exchange } as const;
  expect(judge(answerRules, seen).find(({ rule }) => rule === 'poll-not-held')?.severity).toBe(expected);
});
