import { beforeAll, describe, expect, test } from 'vitest';
import { Client, newExperiment } from './client.js';
import { expectProblem } from './expectations.js';
import { Http2Client } from './http2.js';
import { withSettings } from './server.js';

const TOKEN = 'q7~Zt.very-secret_0123+/=';
const bearer = { Authorization: `Bearer ${TOKEN}` };
const query = `access_token=${encodeURIComponent(TOKEN)}`;

// On one server that listens to other machines: whatever the tests of this file send, it is never told again.
withSettings(
  'a server that other machines reach',
  ['--listen', '0.0.0.0'],
  (stranger, server) => {
    const member = new Client();
    let jobId = '';
    beforeAll(async () => {
      member.base = stranger.base;
      member.headers = bearer;
      ({ jobId } = await member.manual());
    });

    describe('without the token', () => {
      test('only that it is alive is told', async () => {
        const answer = await stranger.get('/healthz');
        expect([answer.status, answer.text]).toEqual([200, '{"status":"ok"}']);
        expect((await member.get('/healthz')).json()).toMatchObject({ status: 'ok', pid: server().pid });
      });

      test('it answers a challenge, so that no client has to send it the token to know it by its state file', async () => {
        const [one, other] = ['a'.repeat(32), 'b'.repeat(32)];
        const asked = [stranger, member, stranger].map((client, nth) =>
          client.get(`/healthz?challenge=${nth < 2 ? one : other}`),
        );
        const [proof, same, another] = (await Promise.all(asked)).map(
          (answer) => answer.json<{ proof: string }>().proof,
        );
        expect(proof).toMatch(/^[0-9a-f]{64}$/);
        expect(same).toBe(proof);
        expect(another).not.toBe(proof);
        expectProblem(await stranger.get('/healthz?challenge=short'), 400);
      });

      test('all else is 401, and the same whatever is there (RFC 6750, section 3)', async () => {
        const asked = [
          ...[`GET /jobs/${jobId}`, 'GET /jobs/nobody', `GET /jobs/${jobId}/events`, 'GET /jobs', 'GET /events'],
          ...['POST /jobs', `DELETE /jobs/${jobId}`, `POST /jobs/${jobId}/finish`, 'GET /traffic', 'GET /metrics'],
          ...[
            'GET /openapi.json',
            'GET /',
            'GET /connections',
            'GET /nothing',
            'POST /healthz',
            'PATCH /',
            'OPTIONS /jobs',
          ],
        ];
        const bodies = new Set<string>();
        for (const line of asked) {
          const [method = '', path = ''] = line.split(' ');
          const answer = await stranger.request(method, path, method === 'POST' ? { json: { kind: 'manual' } } : {});
          expectProblem(answer, 401);
          expect(answer.headers['www-authenticate'], line).toBe('Bearer realm="Polling Lab"');
          bodies.add(answer.text);
        }
        expect([...bodies]).toHaveLength(1);
        expect((await member.job(jobId)).state).toBe('running');
      });

      test('a preflight is answered, as it bears no token: the same for every path', async () => {
        const ask = { Origin: 'http://localhost:8888', 'Access-Control-Request-Method': 'DELETE' };
        const headers = { ...ask, 'Access-Control-Request-Headers': 'authorization' };
        const [one, other] = await Promise.all(
          [`/jobs/${jobId}`, '/nothing'].map((path) => stranger.request('OPTIONS', path, { headers })),
        );
        expect(one!.status).toBe(204);
        expect(one!.headers['access-control-allow-headers']).toBe('authorization');
        expect(one!.headers['access-control-allow-methods']).toBe(other!.headers['access-control-allow-methods']);
        expect(other!.status).toBe(204);
        expectProblem(
          await stranger.request('OPTIONS', '/jobs', { headers: { ...headers, Origin: 'https://x.test' } }),
          403,
        );
      });

      test('a page of an allowed origin may read the 401', async () => {
        const answer = await stranger.get('/jobs', { Origin: 'http://localhost:8888' });
        expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([401, 'http://localhost:8888']);
      });
    });

    test.each([
      ['another one', `Bearer ${'x'.repeat(TOKEN.length)}`],
      ['its beginning', `Bearer ${TOKEN.slice(0, -1)}`],
      ['with more behind it', `Bearer ${TOKEN}x`],
      ['in another case', `Bearer ${TOKEN.toUpperCase()}`],
    ])('a wrong token is 401, and said to be wrong: %s', async (_, Authorization) => {
      for (const path of ['/jobs', '/healthz']) {
        const answer = await stranger.get(path, { Authorization });
        expectProblem(answer, 401);
        expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
      }
      expectProblem(await stranger.get(`/jobs?access_token=${encodeURIComponent(Authorization.slice(7))}`), 401);
    });

    test('another scheme is no token', async () => {
      const answer = await stranger.get('/jobs', { Authorization: `Basic ${btoa(`me:${TOKEN}`)}` });
      expectProblem(answer, 401);
      expect(answer.headers['www-authenticate']).not.toContain('error');
    });

    test('two tokens are 400, though both are right (RFC 6750, section 2)', async () => {
      for (const [path, headers] of [
        [`/jobs?${query}`, bearer],
        [`/jobs?${query}&${query}`, {}],
      ] as const) {
        const answer = await stranger.get(path, headers);
        expectProblem(answer, 400);
        expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
      }
    });

    test('with it, all is as ever: as a header, the scheme in any case, and in the query', async () => {
      expect((await stranger.get(`/jobs/${jobId}`, { Authorization: `bearer ${TOKEN}` })).job.jobId).toBe(jobId);
      const answer = await stranger.get(`/jobs/${jobId}?${query}`);
      expect(answer.job.jobId).toBe(jobId);
      // Section 2.3: an answer to a request with the token in its URL is for no shared cache.
      expect(answer.headers['cache-control']).toBe('private, no-cache');
      const stream = await stranger.stream(`/jobs/${jobId}/events?${query}`);
      expect(stream.headers['cache-control']).toMatch(/^private, no-store/);
      expect((await stream.next()).event).toBe('queued');
      stream.close();
      expect((await member.get('/jobs')).headers['cache-control']).toBe('no-store');
    });

    test('a submit that is repeated with the token elsewhere is the same submit', async () => {
      const key = { 'Idempotency-Key': newExperiment() };
      const first = await member.manual(key);
      const again = await stranger.post(`/jobs?${query}`, { kind: 'manual' }, key);
      expect(again.job.jobId).toBe(first.jobId);
    });

    test('over HTTP/2, too', async () => {
      const { httpsUrl } = (await member.get('/healthz')).json<{ httpsUrl: string }>();
      const client = await Http2Client.connect(httpsUrl);
      try {
        expectProblem(await client.get('/jobs'), 401);
        expect((await client.get('/jobs', bearer)).status).toBe(200);
        expect((await client.get(`/jobs?${query}`)).status).toBe(200);
      } finally {
        client.session.close();
      }
    });

    test('the HTTPS port is told under the name that the client uses, and no other host is served', async () => {
      const { port } = new URL((await member.get('/healthz')).json<{ httpsUrl: string }>().httpsUrl);
      const { httpsUrl } = (await member.get('/healthz', { Host: 'localhost:1' })).json<{ httpsUrl: string }>();
      expect(httpsUrl).toBe(`https://localhost:${port}`);
      // DNS rebinding: the name of a site that leads here.
      expectProblem(await member.get('/healthz', { Host: 'rebound.test' }), 421);
      expectProblem(await member.get('/healthz', { Host: '192.0.2.1' }), 421);
    });

    test('a request without the token names no experiment', async () => {
      const experiment = newExperiment();
      await stranger.get('/jobs', { Experiment: experiment });
      await member.get('/jobs', { Experiment: experiment });
      expect((await member.settled(experiment, 1)).requests.map(({ status }) => status)).toEqual([200]);
    });

    // Last: after all that the tests before have sent.
    test('the token is in no answer, not in the ledger, and not in what the server writes', async () => {
      const Experiment = newExperiment();
      const told: string[] = [];
      for (const path of [
        '/nothing',
        '/jobs?limit=x',
        `/jobs/${jobId}/result?wait=x`,
        '/events?after=x',
        '/',
        '/traffic',
        '/metrics',
        '/openapi.json',
      ]) {
        const answer = await stranger.get(`${path}${path.includes('?') ? '&' : '?'}${query}`, {
          Experiment,
          Accept: '*/*',
        });
        told.push(answer.text, answer.rawHeaders.join('\n'));
      }
      told.push((await member.get('/traffic')).text, server().stdout, server().stderr);
      expect(told.filter((text) => text.includes('very-secret'))).toEqual([]);
      expect(server().stderr).toContain('with its access token');
    });
  },
  { env: { ACCESS_TOKEN: TOKEN } },
);
