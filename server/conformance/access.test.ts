import { describe, expect, test } from 'vitest';
import { newExperiment } from './client.js';
import { expectProblem } from './expectations.js';
import { RawConnection } from './raw.js';
import { target, withSettings } from './server.js';

const lab = target();

describe('a Host that is not a loopback name gets 421', () => {
  test.each([
    'localhost',
    'localhost:1',
    'LocalHost:4321',
    'lesson.localhost',
    'a.b.localhost:80',
    '127.0.0.1',
    '127.0.0.1:9',
    '127.1.2.3',
    '[::1]',
    '[::1]:4321',
  ])('served: %s (the port is not compared)', async (host) => {
    expect((await lab.get('/healthz', { Host: host })).status).toBe(200);
  });

  test.each([
    'example.com',
    'localhost.example.com',
    'notlocalhost',
    '127.0.0.1.example.com',
    '128.0.0.1',
    '0.0.0.0',
    '192.168.0.1:4321',
    '[::2]',
    '[::]',
    '::1',
    '127.0.0.256',
    'localhost@example.com',
    'example.com#localhost',
    'localhost:4321:1',
  ])('refused: %s', async (host) => {
    const answer = await lab.get('/healthz', { Host: host });
    // What is no host at all is malformed (RFC 9112, section 3.2); what is one, misdirected.
    const malformed = /[@#]|^::|:\d+:|256$/.test(host);
    expectProblem(answer, ...(malformed ? [400, 421] : [421]));
  });

  test('also where it would change something', async () => {
    const { jobId } = await lab.manual();
    expectProblem(await lab.post('/jobs', { kind: 'manual' }, { Host: 'example.com' }), 421);
    expectProblem(await lab.delete(`/jobs/${jobId}`, { Host: 'example.com' }), 421);
    expect((await lab.job(jobId)).state).toBe('running');
  });

  test('a request target in absolute form is accepted (RFC 9112, section 3.2.2)', async () => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send('GET http://127.0.0.1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect((await raw.response()).status).toBe(200);
    raw.close();
  });

  test('who looks at the ledger is not in it, whatever the form of the target', async () => {
    const experiment = newExperiment();
    const raw = await RawConnection.connect(lab.base);
    for (const target of ['/traffic', 'http://127.0.0.1/traffic', 'HTTP://127.0.0.1/traffic?limit=1']) {
      await raw.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nExperiment: ${experiment}\r\n\r\n`);
      expect((await raw.response()).status).toBe(200);
    }
    raw.close();
    expect((await lab.traffic(experiment)).requests).toEqual([]);
  });

  test.each([
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n'],
    ['two', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: example.com\r\n\r\n'],
  ])('400 for %s (RFC 9112, section 3.2)', async (_, request) => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(request);
    const answer = await raw.response();
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    raw.close();
  });
});

describe('a request whose Origin is there and is not loopback gets 403', () => {
  test.each([
    'http://localhost',
    'http://localhost:8888',
    'https://localhost:4322',
    'http://127.0.0.1:8888',
    'http://127.9.9.9',
    'http://[::1]:8888',
    'http://lesson.localhost:3000',
  ])('served: %s, with the headers of CORS', async (origin) => {
    const answer = await lab.get('/healthz', { Origin: origin });
    expect(answer.status).toBe(200);
    const allowed = answer.headers['access-control-allow-origin'];
    expect(['*', origin]).toContain(allowed);
    // A cache must not give one origin's answer to another.
    if (allowed === origin) expect(answer.headers.vary?.toLowerCase()).toContain('origin');
    const exposed = answer.headers['access-control-expose-headers']?.toLowerCase().split(/, */);
    expect(exposed).toEqual(expect.arrayContaining(['etag', 'location', 'retry-after', 'preference-applied']));
  });

  test.each([
    'null',
    'https://example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://notlocalhost',
    'http://192.168.0.1',
    'nonsense',
    'file://',
    'http://localhost@example.com',
  ])('refused: %s', async (origin) => {
    const answer = await lab.get('/healthz', { Origin: origin });
    expectProblem(answer, 403);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('and changes nothing', async () => {
    const { jobId } = await lab.manual();
    const headers = { Origin: 'https://example.com' };
    expectProblem(await lab.post(`/jobs/${jobId}/finish`, { result: 1 }, headers), 403);
    expectProblem(await lab.delete(`/jobs/${jobId}`, headers), 403);
    expect((await lab.job(jobId)).state).toBe('running');
  });

  test('an allowed origin may read errors and streams too', async () => {
    const headers = { Origin: 'http://localhost:8888' };
    const missing = await lab.get('/jobs/nobody', headers);
    expectProblem(missing, 404);
    expect(['*', headers.Origin]).toContain(missing.headers['access-control-allow-origin']);
    const { jobId } = await lab.manual();
    const stream = await lab.stream(`/jobs/${jobId}/events`, headers);
    expect(['*', headers.Origin]).toContain(stream.headers['access-control-allow-origin']);
    stream.close();
  });
});

describe('allowed origins get preflights answered', () => {
  const preflight = (path: string, method: string, origin = 'http://localhost:8888') =>
    lab.request('OPTIONS', path, {
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': 'content-type,experiment,idempotency-key,if-none-match,last-event-id,prefer',
      },
    });

  test.each([
    ['/jobs', 'POST'],
    ['/jobs/some', 'DELETE'],
    ['/jobs/some', 'GET'],
    ['/jobs/some/result', 'GET'],
    ['/jobs/some/events', 'GET'],
    ['/jobs/some/progress', 'POST'],
    ['/jobs/some/finish', 'POST'],
    ['/events', 'GET'],
    ['/traffic', 'GET'],
  ])('%s %s', async (path, method) => {
    const answer = await preflight(path, method);
    expect([200, 204]).toContain(answer.status);
    expect(['*', 'http://localhost:8888']).toContain(answer.headers['access-control-allow-origin']);
    const list = (name: string) => String(answer.headers[name] ?? '').split(/, */);
    expect(list('access-control-allow-methods')).toContain(method);
    expect(list('access-control-allow-headers').map((name) => name.toLowerCase())).toEqual(
      expect.arrayContaining([
        ...['content-type', 'experiment', 'idempotency-key'],
        ...['if-none-match', 'last-event-id', 'prefer'],
      ]),
    );
  });

  test('others do not', async () => {
    const answer = await preflight('/jobs', 'POST', 'https://example.com');
    expectProblem(answer, 403);
    expect(answer.headers['access-control-allow-methods']).toBeUndefined();
  });

  test('OPTIONS without an Origin tells the methods in Allow', async () => {
    const answer = await lab.request('OPTIONS', '/jobs');
    expect([200, 204]).toContain(answer.status);
    const allow = answer.headers.allow?.split(/, */);
    expect(allow).toEqual(expect.arrayContaining(['GET', 'HEAD', 'POST']));
  });
});

withSettings(
  'hosts and origins that the settings name',
  ['--allow-host', 'lab.test,other.test', '--allow-origin', 'https://course.test,http://x.test:81'],
  (named) => {
    test('are served', async () => {
      for (const host of ['lab.test', 'lab.test:4321', 'OTHER.test', 'localhost']) {
        expect((await named.get('/healthz', { Host: host })).status, host).toBe(200);
      }
      for (const origin of ['https://course.test', 'http://x.test:81', 'http://localhost:1']) {
        const answer = await named.get('/healthz', { Origin: origin });
        expect(answer.status, origin).toBe(200);
        expect(['*', origin]).toContain(answer.headers['access-control-allow-origin']);
      }
    });

    test('and no others: an origin is a scheme, a host and a port', async () => {
      expectProblem(await named.get('/healthz', { Host: 'third.test' }), 421);
      for (const origin of ['http://course.test', 'https://course.test:444', 'http://x.test']) {
        expectProblem(await named.get('/healthz', { Origin: origin }), 403);
      }
    });
  },
);

test('a page of another site that is linked to, or framed, names no experiment', async () => {
  const experiment = newExperiment();
  const fetched = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' };
  await lab.get(`/?experiment=${experiment}`, { ...fetched, 'Sec-Fetch-Dest': 'iframe' });
  await lab.get(`/healthz?experiment=${experiment}`, { ...fetched, 'Sec-Fetch-Dest': 'document' });
  await lab.get(`/healthz?experiment=${experiment}`, { ...fetched, Origin: 'http://localhost:8888' });
  const { requests } = await lab.settled(experiment, 1);
  expect(requests.map(({ route }) => route)).toEqual(['/healthz']);
});
