import { describe, expect, test } from 'vitest';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { target } from './server.js';

const lab = target();

describe('GET /jobs/{id}', () => {
  test('the status, at once: 200 with ETag "<version>" and Retry-After until the end', async () => {
    const { jobId } = await lab.manual();
    const answer = await lab.get(`/jobs/${jobId}`);
    expect(answer.status).toBe(200);
    expect(answer.type).toBe('application/json');
    expect(answer.job).toMatchObject({ jobId, kind: 'manual', state: 'running' });
    expect(answer.headers.etag).toBe(`"${answer.job.version}"`);
    expectRetryAfter(answer);
  });

  test.each([
    ['the status', '', {}],
    ['the result', '/result', {}],
    ['the events', '/events', { Accept: 'application/json' }],
  ])('Vary names Prefer, and for a page also Origin: %s', async (_name, path, headers) => {
    const { jobId } = await lab.manual();
    const vary = async (more = {}) => (await lab.get(`/jobs/${jobId}${path}`, { ...headers, ...more })).headers.vary;
    expect(await vary()).toBe('Prefer');
    expect(await vary({ Origin: 'http://localhost' })).toBe('Origin, Prefer');
  });

  test('no Retry-After once the job has ended', async () => {
    const { jobId } = await lab.finished();
    const answer = await lab.get(`/jobs/${jobId}`);
    expect(answer.status).toBe(200);
    expect(answer.headers).not.toHaveProperty('retry-after');
  });

  test('304, with the ETag and no body, for If-None-Match', async () => {
    const { jobId } = await lab.manual();
    const { etag = '' } = (await lab.get(`/jobs/${jobId}`)).headers;
    const again = await lab.get(`/jobs/${jobId}`, { 'If-None-Match': etag });
    expect([again.status, again.headers.etag, again.text]).toEqual([304, etag, '']);
    await lab.progress(jobId, 0.5);
    const changed = await lab.get(`/jobs/${jobId}`, { 'If-None-Match': etag });
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(etag);
  });

  test('If-None-Match is compared as RFC 9110, section 13.1.2 says: weakly, a list, or *', async () => {
    const job = await lab.finished();
    const status = async (value: string) => (await lab.get(job.links.self, { 'If-None-Match': value })).status;
    const tag = `"${job.version}"`;
    expect(await status(`W/${tag}`)).toBe(304);
    expect(await status(`"nothing", ${tag}`)).toBe(304);
    expect(await status(`${tag},"other"`)).toBe(304);
    expect(await status('"with, comma", "other"')).toBe(200);
    expect(await status('*')).toBe(304);
    expect(await status('"nothing"')).toBe(200);
    expect(await status(`"${job.version}0"`)).toBe(200);
  });

  test('progress and version never go backwards, poll after poll', async () => {
    const { jobId } = await lab.simulated({ durationMs: 100, steps: 20 });
    const seen = [await lab.job(jobId)];
    while (seen.at(-1)?.finishedAt === null) seen.push(await lab.job(jobId));
    for (const [index, job] of seen.entries()) {
      const before = seen[index - 1] ?? job;
      expect(job.progress).toBeGreaterThanOrEqual(before.progress);
      expect(job.version).toBeGreaterThanOrEqual(before.version);
    }
    expect(seen.at(-1)).toMatchObject({ state: 'succeeded', progress: 1 });
  });

  test('404 for a job that is not there', async () => {
    expectProblem(await lab.get('/jobs/nobody'), 404);
    expectProblem(await lab.get('/jobs/nobody', { 'If-None-Match': '*' }), 404);
  });

  test('an unknown query parameter is ignored', async () => {
    const { jobId } = await lab.manual();
    expect((await lab.get(`/jobs/${jobId}?now=1&now=2`)).status).toBe(200);
  });

  test('HEAD is as GET, without the body', async () => {
    const { jobId } = await lab.manual();
    const get = await lab.get(`/jobs/${jobId}`);
    const head = await lab.request('HEAD', `/jobs/${jobId}`);
    expect([head.status, head.text]).toEqual([200, '']);
    for (const name of ['etag', 'content-type', 'retry-after']) {
      expect(head.headers[name]).toBe(get.headers[name]);
    }
    // RFC 9110, section 9.3.2: a Content-Length, if sent, is that of the GET.
    expect(head.headers['content-length'] ?? String(get.body.length)).toBe(String(get.body.length));
    const tag = { 'If-None-Match': get.headers.etag ?? '' };
    expect((await lab.request('HEAD', `/jobs/${jobId}`, { headers: tag })).status).toBe(304);
    expect((await lab.request('HEAD', '/jobs/nobody')).status).toBe(404);
  });
});

describe('GET /jobs/{id}/result', () => {
  test('202, Retry-After and the job while unfinished', async () => {
    const { jobId } = await lab.manual();
    const answer = await lab.get(`/jobs/${jobId}/result`);
    expect(answer.status).toBe(202);
    expectRetryAfter(answer);
    expect(answer.job).toEqual(await lab.job(jobId));
  });

  test('200 and the result itself', async () => {
    const job = await lab.finished({ result: { frames: [1, 2, 3] } });
    const answer = await lab.get(job.links.result);
    expect([answer.status, answer.type]).toEqual([200, 'application/json']);
    expect(answer.json()).toEqual({ frames: [1, 2, 3] });
    expect(answer.headers).not.toHaveProperty('retry-after');
    expect(answer.headers).not.toHaveProperty('preference-applied');
  });

  test('409 problem if it failed', async () => {
    const job = await lab.finished({ error: { title: 'Out of tape', detail: 'The reel ended.' } });
    const problem = expectProblem(await lab.get(job.links.result), 409);
    expect(JSON.stringify(problem)).toContain('The reel ended.');
  });

  test('409 problem if it was cancelled', async () => {
    const { jobId } = await lab.manual();
    await lab.delete(`/jobs/${jobId}`);
    expectProblem(await lab.get(`/jobs/${jobId}/result`), 409);
  });

  test('404 for a job that is not there', async () => {
    expectProblem(await lab.get('/jobs/nobody/result'), 404);
  });
});
