import { describe, expect, test } from 'vitest';
import { expectProblem } from './expectations.js';
import { RawConnection, type RawResponse } from './raw.js';
import { target, withSettings } from './server.js';

const lab = target();

function expectRawProblem(answer: RawResponse, status: number) {
  const type = answer.headers['content-type']?.split(';')[0] ?? '';
  expectProblem({ status: answer.status, type, text: answer.body }, status);
}

describe('errors are problems', () => {
  test.each(['/nowhere', '/jobs/', '/jobs/some/thing', '/healthz/x', '//', '/JOBS'])(
    '404 for the unknown path %s',
    async (path) => {
      expectProblem(await lab.get(path), 404);
    },
  );

  test.each(['/jobs/%', '/jobs/%zz', '/jobs/%00', '/jobs/%2e%2e', '/jobs/..%2f..%2fetc%2fpasswd'])(
    '400 or 404 for the odd path %s',
    async (path) => {
      expectProblem(await lab.get(path), 400, 404);
    },
  );

  test.each([
    ['PUT', '/jobs', ['GET', 'POST']],
    ['DELETE', '/jobs', ['GET', 'POST']],
    ['POST', '/jobs/some', ['GET', 'DELETE']],
    ['PATCH', '/jobs/some', ['GET', 'DELETE']],
    ['POST', '/jobs/some/result', ['GET']],
    ['DELETE', '/jobs/some/events', ['GET']],
    ['GET', '/jobs/some/progress', ['POST']],
    ['GET', '/jobs/some/finish', ['POST']],
    ['POST', '/events', ['GET']],
    ['DELETE', '/traffic', ['GET']],
    ['POST', '/healthz', ['GET']],
    ['POST', '/metrics', ['GET']],
    ['POST', '/openapi.json', ['GET']],
    ['POST', '/', ['GET']],
    ['TRACE', '/jobs', ['GET', 'POST']],
  ])('405 with Allow for %s %s', async (method, path, allowed) => {
    const answer = await lab.request(method, path);
    expectProblem(answer, 405);
    const allow = answer.headers.allow?.split(/, */) ?? [];
    expect(allow).toEqual(expect.arrayContaining(allowed));
    expect(allow).not.toContain(method);
    // Where there is GET, there is HEAD.
    expect(allow.includes('HEAD')).toBe(allow.includes('GET'));
  });

  test.each(['/jobs', '/jobs/{id}', '/jobs/{id}/result', '/traffic', '/jobs/{id}/events', '/events'])(
    '406 for a type that is not served, at %s',
    async (route) => {
      const { jobId } = await lab.finished();
      const path = route.replace('{id}', jobId);
      expectProblem(await lab.get(path, { Accept: 'image/png' }), 406);
      expectProblem(await lab.get(path, { Accept: 'application/json;q=0, image/*' }), 406);
    },
  );

  test.each(['*/*', 'application/*', 'text/html, */*;q=0.1', 'APPLICATION/JSON'])(
    'JSON for Accept: %s',
    async (accept) => {
      const { jobId } = await lab.manual();
      const answer = await lab.get(`/jobs/${jobId}`, { Accept: accept });
      expect([answer.status, answer.type]).toEqual([200, 'application/json']);
    },
  );

  test('a problem is a problem whatever was accepted', async () => {
    expectProblem(await lab.get('/jobs/nobody/events', { Accept: 'text/event-stream' }), 404);
  });
});

test.each(['/', '/jobs', '/traffic', '/metrics', '/healthz', '/openapi.json', '/nowhere'])(
  'HEAD %s is as GET, without the body',
  async (path) => {
    const [get, head] = [await lab.get(path), await lab.request('HEAD', path)];
    expect([head.status, head.type, head.text]).toEqual([get.status, get.type, '']);
  },
);

describe('what the HTTP parser refuses is a problem too', () => {
  test.each([
    ['no request line', 'hello\r\n\r\n'],
    ['an unknown method', 'BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n'],
    ['a space in a header name', 'GET / HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n'],
    ['a length that is none', 'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n'],
    ['two lengths', 'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length and a coding (request smuggling)',
      'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a greeting of TLS', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00'],
  ])('400 for %s', async (_, request) => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(request);
    expectRawProblem(await raw.response(), 400);
    await raw.closed;
  });

  test('400 for a chunk size that is none', async () => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(
      'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    );
    expectRawProblem(await raw.response('POST'), 400);
    await raw.closed;
  });

  test('431 for a head that is too large', async () => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: ${'x'.repeat(70_000)}\r\n\r\n`);
    expectRawProblem(await raw.response(), 431);
    await raw.closed;
  });
});

withSettings(
  'heads and bodies that come too slowly',
  ['--head-timeout-ms', '400', '--body-timeout-ms', '400'],
  (lab) => {
    test('408 for a head that is not whole in time, and others are not kept waiting', async () => {
      const slow = await RawConnection.connect(lab.base);
      await slow.send('GET /healthz HTTP/1.1\r\nHost: local');
      const drip = setInterval(() => void slow.send('x'), 50);
      try {
        expect((await lab.get('/healthz')).status).toBe(200);
        expectRawProblem(await slow.response(), 408);
        await slow.closed;
      } finally {
        clearInterval(drip);
      }
    });

    test.each([
      ['an upload', 'Content-Type: video/mp4\r\nContent-Length: 100\r\n\r\nonly this'],
      ['JSON', 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"kind":'],
      ['chunks', 'Content-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab'],
    ])('408 for a body that falls silent, and nothing is left of it: %s', async (_, rest) => {
      const slow = await RawConnection.connect(lab.base);
      await slow.send(`POST /jobs HTTP/1.1\r\nHost: localhost\r\n${rest}`);
      expect((await lab.get('/healthz')).status).toBe(200);
      expectRawProblem(await slow.response('POST'), 408);
      await slow.closed;
      expect((await lab.get('/jobs')).json().jobs).toEqual([]);
    });
  },
);
