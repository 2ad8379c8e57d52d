import { describe, expect, test } from 'vitest';
import { expectProblem } from './expectations.js';
import { RawConnection, type RawResponse } from './raw.js';
import { target } from './server.js';

/*
 * A matrix of bad requests: every base, a request that is well, with every flaw that can be put into it. Sent as
 * bytes, since no client would send most of them. Each gets the contract's 4xx problem: never a 5xx, never a hang.
 */

interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

interface Flaw {
  name: string;
  /** What the contract (or HTTP) says to it. */
  statuses: number[];
  /** Puts it into a request; undefined where it does not apply. */
  apply: (request: Request) => Request | undefined;
}

const json = { 'Content-Type': 'application/json' };
const base = (method: string, path: string, headers = {}, body = ''): Request => ({
  method,
  path,
  headers: { Host: 'localhost', Connection: 'close', ...headers },
  body,
});

const bases: Request[] = [
  base('GET', '/healthz'),
  base('GET', '/jobs'),
  base('POST', '/jobs', json, '{"kind":"manual"}'),
  base('POST', '/jobs', json, '{"kind":"simulated","durationMs":0,"steps":1,"failAtStep":null}'),
  base('POST', '/jobs', { 'Content-Type': 'video/mp4' }, 'bytes'),
  base('GET', '/jobs/{id}'),
  base('DELETE', '/jobs/{id}'),
  base('GET', '/jobs/{id}/result', { Prefer: 'wait=1' }),
  base('GET', '/jobs/{id}/events', { Accept: 'application/json' }),
  base('GET', '/events', { Accept: 'application/json' }),
  base('POST', '/jobs/{id}/progress', json, '{"progress":0.5}'),
  base('POST', '/jobs/{id}/finish', json, '{"result":1}'),
  base('GET', '/traffic'),
  base('GET', '/metrics'),
  base('GET', '/openapi.json'),
];

const everywhere = (name: string, statuses: number[], change: Partial<Request['headers']>): Flaw => ({
  name,
  statuses,
  apply: (request) => ({ ...request, headers: { ...request.headers, ...(change as object) } }),
});
const isJson = ({ headers }: Request) => headers['Content-Type'] === 'application/json';
const hasBody = ({ method }: Request) => method === 'POST';

const flaws: Flaw[] = [
  // Methods
  ...['PUT', 'PATCH', 'TRACE', 'PROPFIND', 'SEARCH'].map((method) => ({
    name: `method ${method}`,
    statuses: [405],
    apply: (request: Request) => ({ ...request, method }),
  })),
  ...['FOO', 'get', 'G\u00cbT', '', 'GET GET'].map((method) => ({
    name: `method "${method}"`,
    statuses: [400, 405],
    apply: (request: Request) => ({ ...request, method }),
  })),
  // Ids
  ...[
    'nobody',
    '0',
    '-1',
    'null',
    '__proto__',
    'constructor',
    '%00',
    '%0d%0aX-Injected:%201',
    '..%2f..%2fpackage.json',
    "'%20OR%201=1--",
    '%F0%9F%98%80',
    '%',
    '%zz',
    'x'.repeat(4000),
    '%7Bid%7D',
  ].map((id) => ({
    name: `id ${id.slice(0, 30)}`,
    statuses: [400, 404],
    apply: (request: Request) =>
      request.path.includes('{id}') ? { ...request, path: request.path.replace('{id}', id) } : undefined,
  })),
  // Paths
  {
    name: 'a longer path',
    statuses: [404],
    apply: (request) => ({ ...request, path: `${request.path}/more/and/more` }),
  },
  // Queries
  ...['wait=x', 'wait=-1', 'wait=1e3', 'wait=%00', 'wait='].map((query) => ({
    name: `?${query}`,
    statuses: [400],
    apply: (request: Request) =>
      /result|events/.test(request.path) || (hasBody(request) && request.path === '/jobs')
        ? { ...request, path: `${request.path}?${query}` }
        : undefined,
  })),
  ...['min=x', 'min=-1', 'min=0.5', 'after=%21', 'after=%00', 'after=../..', 'after=%0d%0a'].map((query) => ({
    name: `?${query}`,
    statuses: [400],
    apply: (request: Request) =>
      request.path.endsWith('/events') ? { ...request, path: `${request.path}?${query}` } : undefined,
  })),
  ...['limit=x', 'limit=-5', 'state=none', 'state=__proto__', 'after=%21'].map((query) => ({
    name: `?${query}`,
    statuses: [400],
    apply: (request: Request) =>
      request.method === 'GET' && request.path === '/jobs' ? { ...request, path: `/jobs?${query}` } : undefined,
  })),
  // Types
  ...['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', '/', 'json', 'audio/mp4'].map((type) => ({
    name: `Content-Type: ${type}`,
    statuses: [415],
    apply: (request: Request) =>
      hasBody(request) ? { ...request, headers: { ...request.headers, 'Content-Type': type } } : undefined,
  })),
  {
    name: 'no Content-Type',
    statuses: [400, 415],
    apply: ({ headers: { 'Content-Type': type, ...headers }, ...request }) =>
      type ? { ...request, headers } : undefined,
  },
  ...['image/png', 'text/csv', 'application/json;q=0', 'nonsense'].map((type) => ({
    name: `Accept: ${type}`,
    statuses: [406],
    apply: (request: Request) =>
      request.method === 'GET' && /^\/jobs(\/\{id\}(\/events)?)?$/.test(request.path)
        ? { ...request, headers: { ...request.headers, Accept: type } }
        : undefined,
  })),
  // Encodings
  ...['gzip', 'br', 'deflate', 'x-unknown'].map((coding) => ({
    name: `Content-Encoding: ${coding}`,
    statuses: [400, 415],
    apply: (request: Request) =>
      hasBody(request) ? { ...request, headers: { ...request.headers, 'Content-Encoding': coding } } : undefined,
  })),
  // RFC 9112, section 6.3: a coding whose last is not chunked leaves the length unknown, "the server MUST respond with
  // the 400 status code". (Where no body is expected, the answer may have been on its way already.)
  ...['gzip', 'chunked, identity', 'chunkedd'].map((coding) => ({
    name: `Transfer-Encoding: ${coding}`,
    statuses: [400],
    apply: (request: Request) =>
      hasBody(request) ? { ...request, headers: { ...request.headers, 'Transfer-Encoding': coding } } : undefined,
  })),
  // Lengths
  ...['-1', 'x', '1.5', '0x10', '99999999999999999999999', '5, 6'].map((length) =>
    everywhere(`Content-Length: ${length}`, [400], { 'Content-Length': length }),
  ),
  everywhere('a length and a coding', [400], {
    'Content-Length': '5',
    'Transfer-Encoding': 'chunked',
  }),
  // Headers
  everywhere('a foreign Host', [421], { Host: 'example.com' }),
  everywhere('a Host that is none', [400, 421], { Host: 'a b' }),
  everywhere('an empty Host', [400, 421], { Host: '' }),
  everywhere('a foreign Origin', [403], { Origin: 'https://example.com' }),
  everywhere('an Origin null', [403], { Origin: 'null' }),
  everywhere('NUL in a value', [400], { 'X-Nul': 'a\u0000b' }),
  everywhere('a space in a name', [400], { 'X Space': '1' }),
  everywhere('a name that is empty', [400], { '': '1' }),
  everywhere('a lone CR in a value', [400], { 'X-CR': 'a\rb' }),
  everywhere('a head that is too large', [431], { 'X-Large': 'x'.repeat(100_000) }),
  everywhere('an expectation that nobody knows', [417], { Expect: 'a-miracle' }),
  everywhere('a version that nobody speaks', [400], { Upgrade: 'x', 'HTTP2-Settings\u0001': 'y' }),
  // JSON
  ...[
    '{',
    '{"kind":"manual",}',
    "{'kind':'manual'}",
    '{"kind":NaN}',
    'undefined',
    '[]',
    '[{"kind":"manual"}]',
    '"manual"',
    'true',
    '7',
    '{}',
    '{"kind":{}}',
    '{"kind":["manual"]}',
    '{"kind":"MANUAL","progress":"1","result2":1}',
    '{"kind":"simulated","durationMs":1e999,"steps":1,"progress":1e999}',
    '{"kind":"simulated","durationMs":0,"steps":9007199254740993,"progress":-0.0001}',
    '{"kind":"__proto__"}',
    '{"__proto__":{"kind":"manual","progress":0.5,"result":1}}',
    '{"kind":"\ud800","progress":null}',
    '\u00ff\u00fe',
    '\u00c3(',
    `${'['.repeat(20_000)}`,
    `${'{"a":'.repeat(8_000)}1${'}'.repeat(8_000)}`,
  ].map((body) => ({
    name: `JSON ${body.slice(0, 40)}`,
    statuses: [400],
    apply: (request: Request) => (isJson(request) ? { ...request, body } : undefined),
  })),
  {
    name: 'far too much JSON',
    statuses: [400, 413],
    apply: (request) => (isJson(request) ? { ...request, body: `{"note":"${'x'.repeat(3_000_000)}"}` } : undefined),
  },
  // Names
  ...['', 'x'.repeat(10_000)].map((key) => ({
    name: `Idempotency-Key of ${key.length} characters`,
    statuses: [400],
    apply: (request: Request) =>
      request.path === '/jobs' && hasBody(request)
        ? { ...request, headers: { ...request.headers, 'Idempotency-Key': key } }
        : undefined,
  })),
];

function bytesOf({ method, path, headers, body }: Request): string {
  const sized: Record<string, string> = { ...headers };
  if (body && !('Content-Length' in sized) && !('Transfer-Encoding' in sized)) {
    sized['Content-Length'] = String(body.length);
  }
  const lines = Object.entries(sized).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

const lab = target();

async function exchange(bytes: string, method = 'GET'): Promise<RawResponse> {
  const raw = await RawConnection.connect(lab.base);
  try {
    // Not awaited: a server may answer before it has read the whole.
    void raw.send(bytes);
    return await raw.response(method);
  } finally {
    raw.close();
  }
}

describe('a generated matrix of bad requests', () => {
  test('has the good ones it starts from', async () => {
    for (const request of bases) {
      const { jobId } = await lab.manual();
      const path = request.path.replace('{id}', jobId);
      const answer = await exchange(bytesOf({ ...request, path }), request.method);
      expect(answer.status, path).toBeLessThan(300);
    }
  });

  // One test a base, so that a failure tells which; all of its flaws are tried, and all that are wrong are told.
  test.each(bases.map((request) => [`${request.method} ${request.path} ${request.body}`, request]))(
    '%s',
    async (_, request) => {
      const { jobId } = await lab.manual();
      const wrong: string[] = [];
      for (const flaw of flaws) {
        const flawed = flaw.apply(request as Request);
        if (!flawed) continue;
        const bytes = bytesOf({ ...flawed, path: flawed.path.replace('{id}', jobId) });
        try {
          const answer = await exchange(bytes, flawed.method);
          const type = answer.headers['content-type'] ?? '';
          expectProblem({ status: answer.status, type, text: answer.body }, ...flaw.statuses);
        } catch (error) {
          wrong.push(`${flaw.name}: ${(error as Error).message.split('\n')[0]}`);
        }
      }
      expect(wrong).toEqual([]);
      // None of it did anything to the job.
      expect(await lab.job(jobId)).toMatchObject({ state: 'running', progress: 0 });
      await lab.delete(`/jobs/${jobId}`);
    },
  );

  test.each(['result', 'error', 'other'])('nesting without end, in %s, is kept or refused', async (member) => {
    const { jobId } = await lab.manual();
    const body = `{"${member}":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    const answer = await lab.request('POST', `/jobs/${jobId}/finish`, { headers: json, body });
    if (answer.status !== 204) {
      expectProblem(answer, 400, 413);
      await lab.finish(jobId);
    }
    expect((await lab.get(`/jobs/${jobId}`)).status).toBe(200);
    expect((await lab.get('/jobs?limit=1')).status).toBe(200);
    const stream = await lab.stream(`/jobs/${jobId}/events`);
    await stream.toTheEnd();
    stream.close();
  });

  test('newlines in names and data inject nothing', async () => {
    const injected = 'a\r\nX-Injected: 1\r\n\r\ndata: x\n\nevent: y';
    const query = `?experiment=${encodeURIComponent(injected)}`;
    const live = await lab.stream(`/traffic${query}`);
    const { jobId } = await lab.manual();
    const answers = [
      await lab.get(`/jobs/${jobId}${query}`),
      await lab.get(`/jobs/${encodeURIComponent(injected)}`),
      await lab.get(`/jobs?after=${encodeURIComponent(injected)}`),
      await lab.get(`/jobs/${jobId}/events${query}`, { Accept: 'application/json' }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBeLessThan(500);
      expect(answer.headers).not.toHaveProperty('x-injected');
    }
    await lab.finish(jobId, { result: injected });
    const stream = await lab.stream(`/jobs/${jobId}/events`);
    const events = await stream.toTheEnd();
    expect(events.at(-1)?.data.result).toBe(injected);
    stream.close();
    live.close();
    // The strict parser has seen no line that should not be there, whether the name was taken or refused.
    expect(live.events.map(({ event }) => event)).not.toContain('y');
  });
});
