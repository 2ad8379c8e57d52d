import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, newExperiment, type RequestOptions } from '../../conformance/client.js';
import { Description, type Operation } from '../../conformance/description.js';
import { withSettings } from '../../conformance/server.js';
import { description as describedAs, routes } from '../routes/index.js';

const text = describedAs();
const description = new Description(text);
const { source, document, operations } = description;
const validator = (schema: object) => description.validator(schema);

const schema = (name: string) => ({ $ref: `#/components/schemas/${name}` });

describe('the document', () => {
  test('describes every route and method there is, and nothing else', () => {
    const described = operations.map(({ method, path }) => `${method} ${path}`);
    const served = [...routes].flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(described.sort()).toEqual(served.sort());
  });

  test('names only what it has, and has only what it names', () => {
    const named = [...text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)].map(([, kind, name]) => `${kind}/${name}`);
    const { securitySchemes, ...components } = source.components;
    const there = Object.entries(components).flatMap(([kind, all]) =>
      Object.keys(all).map((name) => `${kind}/${name}`),
    );
    expect([...new Set(named)].sort()).toEqual(there.sort());
    // Schemes are not referred to: they are named.
    expect(source.security.flatMap(Object.keys).sort()).toEqual(Object.keys(securitySchemes ?? {}).sort());
  });

  test('is of one piece: version, ids, path parameters, links, schemas', () => {
    expect(source.openapi).toMatch(/^3\.1\.\d+$/);
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const inPath = operation.parameters.filter((parameter) => parameter.in === 'path');
      const templated = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(
        inPath.map(({ name }) => name),
        path,
      ).toEqual(templated);
      expect(
        inPath.every(({ required }) => required),
        path,
      ).toBe(true);
      expect(operation.summary, path).toMatch(/\S/);
      for (const { schema } of operation.parameters) validator(schema);
      for (const { schema } of Object.values(operation.requestBody?.content ?? {})) validator(schema);
      for (const { content, links } of Object.values(operation.responses)) {
        for (const { schema } of Object.values(content ?? {})) validator(schema);
        for (const link of Object.values(links ?? {})) {
          const target = operations.find((each) => each.operation.operationId === link.operationId)?.operation;
          const takes = target?.parameters.map(({ name }) => name);
          expect(takes).toEqual(expect.arrayContaining(Object.keys(link.parameters)));
        }
      }
    }
  });

  test('its validator is one that can fail', () => {
    const job = validator(schema('Job'));
    expect(job.safeParse({}).success).toBe(false);
    const gap = validator(schema('Gap'));
    expect(gap.safeParse({ oldest: null }).success).toBe(true);
    expect(gap.safeParse({ oldest: null, more: 1 }).success).toBe(false);
  });
});

/*
 * Every answer that is described is asked for, and must be as described. Two kinds cannot be had here: 408, which the
 * HTTP parser gives to the slow, and the 503 of a disk that is full. The conformance tests have those.
 */
const seen = new Set<string>();
const unseen = (operation: Operation) => [
  '408',
  ...(['submitJob', 'cancelJob', 'progressJob', 'finishJob'].includes(operation.operationId) ? ['503'] : []),
];

/** Checks an answer against the description, and notes that it has been seen. */
function expectDescribed(method: string, route: string, answer: Answer): void {
  const { operationId } = description.check(method, route, answer);
  seen.add(`${operationId} ${answer.status}`);
}

// One waiter and few jobs, so that the bounds can be reached.
const ACCESS_TOKEN = 'as-described-0123456789';
withSettings(
  'answers are as described',
  ['--max-jobs', '40', '--max-waiters', '1'],
  (lab) => {
    beforeAll(() => {
      lab.headers = { Authorization: `Bearer ${ACCESS_TOKEN}` };
    });
    /** Sends a request to a route and checks the answer. */
    async function ask(method: string, route: string, id = '', options: RequestOptions = {}, query = '') {
      const answer = await lab.request(method, route.replace('{id}', id) + query, options);
      expectDescribed(method, route, answer);
      return answer;
    }
    const get = (route: string, id = '', headers = {}, query = '') => ask('GET', route, id, { headers }, query);
    const post = (route: string, id: string, json: unknown, headers = {}) => ask('POST', route, id, { json, headers });

    test('submit', async () => {
      const simulated = { kind: 'simulated', durationMs: 0, steps: 2 };
      expect((await post('/jobs', '', simulated)).status).toBe(202);
      expect((await post('/jobs', '', simulated, { Prefer: 'wait=10' })).status).toBe(200);
      const failing = { ...simulated, failAtStep: 1 };
      expect((await post('/jobs', '', failing, { Prefer: 'wait=10' })).status).toBe(409);
      const key = { 'Idempotency-Key': 'openapi' };
      await post('/jobs', '', simulated, key);
      expect((await post('/jobs', '', failing, key)).status).toBe(422);
      const clip = readFileSync(new URL('../../conformance/fixtures/clip.mp4', import.meta.url));
      const headers = { 'Content-Type': 'video/mp4' };
      const video = await ask('POST', '/jobs', '', { headers, body: clip }, '?wait=30');
      expect(video.status).toBe(200);
      const result = validator(schema('VideoResult'));
      expect(result.safeParse(video.json()).error).toBeUndefined();
      const odd = { headers: { 'Content-Type': 'text/plain' }, body: 'hello' };
      expect((await ask('POST', '/jobs', '', odd)).status).toBe(415);
      const large = JSON.stringify({ kind: 'manual', more: 'x'.repeat(70_000) });
      const typed = { 'Content-Type': 'application/json' };
      expect((await ask('POST', '/jobs', '', { headers: typed, body: large })).status).toBe(413);
    });

    test('short poll, long poll, result, cancel, list', async () => {
      const { jobId } = await lab.manual();
      const { headers } = await get('/jobs/{id}', jobId);
      const known = { 'If-None-Match': headers.etag };
      expect((await get('/jobs/{id}', jobId, known)).status).toBe(304);
      expect((await get('/jobs/{id}', jobId, { ...known, Prefer: 'wait=1' })).status).toBe(304);
      expect((await get('/jobs/{id}/result', jobId, { Prefer: 'wait=1' })).status).toBe(202);
      expect((await ask('DELETE', '/jobs/{id}', jobId)).status).toBe(200);
      expect((await get('/jobs/{id}/result', jobId, { Prefer: 'wait=1' })).status).toBe(409);
      const done = await lab.manual();
      await lab.finish(done.jobId, { result: [1, { any: 'JSON' }] });
      expect((await get('/jobs/{id}/result', done.jobId)).status).toBe(200);
      expect((await get('/jobs', '', {}, '?limit=1')).json().next).not.toBeNull();
      for (const state of ['queued', 'running', 'succeeded', 'failed', 'cancelled'])
        await get('/jobs', '', {}, `?state=${state}`);
    });

    test('a manual job', async () => {
      const { jobId } = await lab.manual();
      const typed = { headers: { 'Content-Type': 'application/json' }, body: 'x'.repeat(70_000) };
      for (const route of ['/jobs/{id}/progress', '/jobs/{id}/finish']) {
        expect((await ask('POST', route, jobId, typed)).status).toBe(413);
        expect((await ask('POST', route, jobId, { body: '{}' })).status).toBe(415);
      }
      expect((await post('/jobs/{id}/progress', jobId, { progress: 0.5, more: [1] })).status).toBe(204);
      expect((await post('/jobs/{id}/progress', jobId, { progress: 0.1 })).status).toBe(409);
      expect((await post('/jobs/{id}/finish', jobId, { error: 'out of ink' })).status).toBe(204);
      expect((await post('/jobs/{id}/finish', jobId, { result: 1 })).status).toBe(409);
      expect((await get('/jobs/{id}', jobId)).job.error).not.toBeNull();
    });

    test('events, as JSON and as a stream', async () => {
      const { jobId } = await lab.simulated();
      const json = { Accept: 'application/json' };
      const { events, next } = (await get('/jobs/{id}/events', jobId, json, '?min=9&wait=9')).json<{
        events: unknown[];
        next: string;
      }>();
      expect(events).toHaveLength(7);
      expect((await get('/jobs/{id}/events', jobId, {}, `?after=${next}`)).status).toBe(204);
      await get('/events', '', { ...json, Prefer: 'wait=0' });
      const foreign = await get('/events', '', json, '?after=zzzzzzzz-1');
      expect(foreign.json()).toHaveProperty('gap');
      const data = { '/events': { type: 'object', properties: {} }, '/traffic': schema('Traffic') };
      for (const path of [`/jobs/${jobId}/events`, '/events', '/traffic'] as const) {
        const Experiment = newExperiment();
        const stream = await lab.stream(path, { Experiment });
        const event = await stream.next();
        stream.close();
        const expected = path in data ? data[path as keyof typeof data] : schema('EventData');
        expect(validator(expected).safeParse(event.data).error, path).toBeUndefined();
        await lab.quiet(Experiment); // one may wait, and the next is next
        const head = await lab.request('HEAD', path, { headers: { Accept: 'text/event-stream' } });
        expectDescribed('GET', path.replace(jobId, '{id}'), head);
      }
    });

    test('the server itself', async () => {
      for (const route of [
        '/traffic',
        '/healthz',
        '/metrics',
        '/openapi.json',
        '/connections',
        '/connections/worker.js',
        '/',
      ])
        expect((await get(route)).status).toBe(200);
    });

    test.each(operations)('what any request may get: $method $path', async ({ method, path }) => {
      const { jobId } = await lab.manual();
      const { responses } = document.paths[path]![method.toLowerCase()]!;
      const json = method === 'POST' ? { json: {} } : {};
      const refused: [string, object, string?][] = [
        ['400', { 'Content-Length': '1', 'Transfer-Encoding': 'chunked' }], // RFC 9112, section 6.1
        ['401', { Authorization: 'Bearer of-somebody-else' }],
        ['403', { Origin: 'https://elsewhere.example' }],
        ['404', {}, 'nobody'],
        ['406', { Accept: 'image/png' }],
        ['417', { Expect: 'a miracle' }],
        ['421', { Host: 'elsewhere.example' }],
        ['431', { Cookie: 'x'.repeat(20_000) }],
      ];
      for (const [status, headers, id = jobId] of refused) {
        if (!(status in responses)) continue;
        const answer = await ask(method, path, id, { ...json, headers: { ...headers } });
        expect(String(answer.status), `${method} ${path}`).toBe(status);
      }
    });

    test('too many who wait, too many jobs', async () => {
      const { jobId, version } = await lab.manual();
      const stream = await lab.stream(`/jobs/${jobId}/events`);
      await stream.opened();
      const wait = { Prefer: 'wait=5' };
      expect((await get('/jobs/{id}/result', jobId, wait)).status).toBe(503);
      const known = { ...wait, 'If-None-Match': `"${version}"` };
      expect((await get('/jobs/{id}', jobId, known)).status).toBe(503);
      for (const route of ['/jobs/{id}/events', '/events', '/traffic'])
        expect((await get(route, jobId, { Accept: 'text/event-stream' })).status).toBe(503);
      stream.close();
      let answer: Answer;
      do answer = await post('/jobs', '', { kind: 'manual' });
      while (answer.status === 202);
      expect(answer.status).toBe(429);
    });

    test('each answer that is described has been seen', () => {
      const missing = operations.flatMap(({ operation }) =>
        Object.keys(operation.responses)
          .filter((status) => !unseen(operation).includes(status))
          .map((status) => `${operation.operationId} ${status}`)
          .filter((name) => !seen.has(name)),
      );
      expect(missing).toEqual([]);
    });
  },
  { env: { ACCESS_TOKEN } },
);
