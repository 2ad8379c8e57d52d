import { describe, expect, test } from 'vitest';
import { type Headers, newExperiment } from './client.js';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { target, withSettings } from './server.js';
import type { JobPage } from './types.js';

const lab = target();
const applied = 'preference-applied';

/** Sends a request and waits until the ledger says that it is held. In an object, so as not to await the answer. */
async function hold(path: string, headers: Headers) {
  const experiment = newExperiment();
  const answer = lab.get(path, { ...headers, Experiment: experiment });
  await lab.held(experiment);
  return { answer };
}

describe('GET /jobs/{id}/result with Prefer: wait=N', () => {
  test('held until the job ends, then the result; Preference-Applied: wait=N', async () => {
    const { jobId } = await lab.manual();
    const poll = await hold(`/jobs/${jobId}/result`, { Prefer: 'wait=60' });
    await lab.finish(jobId, { result: { answer: 42 } });
    const answer = await poll.answer;
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ answer: 42 });
    expect(answer.headers[applied]).toBe('wait=60');
  });

  test('no status, only the end: progress does not answer it', async () => {
    const { jobId } = await lab.manual();
    const experiment = newExperiment();
    const poll = lab.get(`/jobs/${jobId}/result`, { Prefer: 'wait=60', Experiment: experiment });
    await lab.held(experiment);
    for (const progress of [0.2, 0.4, 0.6]) await lab.progress(jobId, progress);
    await lab.held(experiment);
    await lab.finish(jobId);
    expect((await poll).status).toBe(200);
  });

  test('409 problem as soon as the job fails', async () => {
    const { jobId } = await lab.manual();
    const poll = await hold(`/jobs/${jobId}/result`, { Prefer: 'wait=60' });
    await lab.finish(jobId, { error: { title: 'Out of tape', detail: 'The reel ended.' } });
    expectProblem(await poll.answer, 409);
    expect((await poll.answer).headers[applied]).toBe('wait=60');
  });

  test('409 problem as soon as the job is cancelled', async () => {
    const { jobId } = await lab.manual();
    const poll = await hold(`/jobs/${jobId}/result`, { Prefer: 'wait=60' });
    await lab.delete(`/jobs/${jobId}`);
    expectProblem(await poll.answer, 409);
  });

  test('202, Retry-After and the job when N seconds pass first', async () => {
    const { jobId } = await lab.manual();
    const started = performance.now();
    const answer = await lab.get(`/jobs/${jobId}/result`, { Prefer: 'wait=1' });
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
    expect(answer.status).toBe(202);
    expectRetryAfter(answer);
    expect(answer.headers[applied]).toBe('wait=1');
    expect(answer.job.jobId).toBe(jobId);
  });

  test('at once when the job has ended', async () => {
    const { links } = await lab.finished({ result: 7 });
    const answer = await lab.get(links.result, { Prefer: 'wait=60' });
    expect([answer.status, answer.text]).toEqual([200, '7']);
    expect(answer.headers[applied]).toBe('wait=60');
  });

  test('at once for wait=0', async () => {
    const { jobId } = await lab.manual();
    const answer = await lab.get(`/jobs/${jobId}/result`, { Prefer: 'wait=0' });
    expect([answer.status, answer.headers[applied]]).toEqual([202, 'wait=0']);
  });

  test('many that wait for one job are all answered', async () => {
    const { jobId } = await lab.manual();
    const experiment = newExperiment();
    const headers = { Prefer: 'wait=60', Experiment: experiment };
    const polls = Array.from({ length: 50 }, () => lab.get(`/jobs/${jobId}/result`, headers));
    await lab.held(experiment, 50);
    await lab.finish(jobId, { result: 'all' });
    for (const answer of await Promise.all(polls)) {
      expect([answer.status, answer.text]).toEqual([200, '"all"']);
    }
  });

  test('404, at once, for a job that is not there', async () => {
    expectProblem(await lab.get('/jobs/nobody/result', { Prefer: 'wait=60' }), 404);
  });
});

describe('GET /jobs/{id} with Prefer: wait=N and If-None-Match', () => {
  test('held until the next change, then 200 with the new ETag', async () => {
    const job = await lab.job((await lab.manual()).jobId);
    const tag = { 'If-None-Match': `"${job.version}"` };
    const poll = await hold(job.links.self, { ...tag, Prefer: 'wait=60' });
    await lab.progress(job.jobId, 0.5);
    const answer = await poll.answer;
    expect(answer.status).toBe(200);
    expect(answer.job).toMatchObject({ progress: 0.5, version: job.version + 1 });
    expect(answer.headers.etag).toBe(`"${job.version + 1}"`);
    expect(answer.headers[applied]).toBe('wait=60');
  });

  test('a chain of them sees the job through to its end', async () => {
    const { jobId } = await lab.simulated({ durationMs: 200, steps: 10 });
    let answer = await lab.get(`/jobs/${jobId}`);
    while (answer.job.finishedAt === null) {
      const before = answer.job.version;
      const { etag = '' } = answer.headers;
      answer = await lab.get(`/jobs/${jobId}`, { Prefer: 'wait=60', 'If-None-Match': etag });
      expect(answer.status).toBe(200);
      expect(answer.job.version).toBeGreaterThan(before);
    }
    expect(answer.job.state).toBe('succeeded');
  });

  test('304, with the ETag, after N seconds', async () => {
    const { jobId } = await lab.manual();
    const { etag = '' } = (await lab.get(`/jobs/${jobId}`)).headers;
    const headers = { Prefer: 'wait=1', 'If-None-Match': etag };
    const answer = await lab.get(`/jobs/${jobId}`, headers);
    expect([answer.status, answer.headers.etag, answer.text]).toEqual([304, etag, '']);
    expect(answer.headers[applied]).toBe('wait=1');
  });

  test('304 at once if the job has ended', async () => {
    const job = await lab.finished();
    const headers = { Prefer: 'wait=60', 'If-None-Match': `"${job.version}"` };
    expect((await lab.get(job.links.self, headers)).status).toBe(304);
  });

  test('200 at once when it has changed already', async () => {
    const { jobId } = await lab.manual();
    const headers = { Prefer: 'wait=60', 'If-None-Match': '"0"' };
    expect((await lab.get(`/jobs/${jobId}`, headers)).status).toBe(200);
  });

  test('without If-None-Match: at once', async () => {
    const { jobId } = await lab.manual();
    expect((await lab.get(`/jobs/${jobId}`, { Prefer: 'wait=60' })).status).toBe(200);
    expect((await lab.get(`/jobs/${jobId}?wait=60`)).status).toBe(200);
  });
});

describe('N is a whole number of seconds from 0, capped at 60', () => {
  test.each([
    ['wait=600', 'wait=60'],
    ['wait=61', 'wait=60'],
    ['wait=99999999999999999999', 'wait=60'],
    ['wait=5', 'wait=5'],
    ['wait=005', 'wait=5'],
    ['Wait=5', 'wait=5'],
    ['wait="5"', 'wait=5'],
    ['wait = 5', 'wait=5'],
    ['respond-async, wait=5', 'wait=5'],
    ['wait=5; mood=good, handling=lenient', 'wait=5'],
    ['handling="a, wait=7", wait=5', 'wait=5'],
    // RFC 7240, section 2: "If any preference is specified more than once, only the first instance is considered".
    ['wait=5, wait=7', 'wait=5'],
  ])('Prefer: %s names what was used, %s', async (prefer, used) => {
    const { links } = await lab.finished();
    const answer = await lab.get(links.result, { Prefer: prefer });
    expect([answer.status, answer.headers[applied]]).toEqual([200, used]);
  });

  test('Prefer on several lines is one list', async () => {
    const { links } = await lab.finished();
    const answer = await lab.get(links.result, { Prefer: ['respond-async', 'wait=5'] });
    expect(answer.headers[applied]).toBe('wait=5');
  });

  test.each(['wait', 'wait=', 'wait=soon', 'wait=-1', 'wait=1.5', 'waiter=5', '=5', ';;,,', 'wait=5s'])(
    'a Prefer that makes no sense is ignored: %s',
    async (prefer) => {
      const { jobId } = await lab.manual();
      const answer = await lab.get(`/jobs/${jobId}/result`, { Prefer: prefer });
      expect(answer.status).toBe(202);
      expect(answer.headers).not.toHaveProperty(applied);
    },
  );
});

describe('?wait=N', () => {
  test('means the same, and has no Preference-Applied', async () => {
    const { jobId } = await lab.manual();
    const poll = await hold(`/jobs/${jobId}/result?wait=60`, {});
    await lab.finish(jobId, { result: 7 });
    const answer = await poll.answer;
    expect([answer.status, answer.text]).toEqual([200, '7']);
    expect(answer.headers).not.toHaveProperty(applied);
  });

  test('holds GET /jobs/{id} with If-None-Match too', async () => {
    const { jobId } = await lab.manual();
    const { etag = '' } = (await lab.get(`/jobs/${jobId}`)).headers;
    const poll = await hold(`/jobs/${jobId}?wait=60`, { 'If-None-Match': etag });
    await lab.progress(jobId, 0.1);
    expect((await poll.answer).job.progress).toBe(0.1);
  });

  test('wins over the header, which is then not applied', async () => {
    const { jobId } = await lab.manual();
    const answer = await lab.get(`/jobs/${jobId}/result?wait=0`, { Prefer: 'wait=60' });
    expect(answer.status).toBe(202);
    expect(answer.headers).not.toHaveProperty(applied);
  });

  test('is capped, not refused', async () => {
    const { links } = await lab.finished();
    expect((await lab.get(`${links.result}?wait=600`)).status).toBe(200);
  });

  test.each(['', 'soon', '-1', '1.5', '1e1', '0x5', ' 5', '5s', 'NaN'])('nonsense is a 400: ?wait=%s', async (wait) => {
    const { jobId } = await lab.manual();
    const query = `?wait=${encodeURIComponent(wait)}`;
    expectProblem(await lab.get(`/jobs/${jobId}/result${query}`), 400);
    expectProblem(await lab.get(`/jobs/${jobId}/result${query}`, { Prefer: 'wait=1' }), 400);
    expectProblem(await lab.post(`/jobs${query}`, { kind: 'manual' }), 400);
  });
});

describe('HEAD is as GET and never waits', () => {
  test.each(['result', 'result?wait=60', ''])('HEAD /jobs/{id}/%s', async (rest) => {
    const job = await lab.job((await lab.manual()).jobId);
    const headers = { Prefer: 'wait=60', 'If-None-Match': `"${job.version}"` };
    const path = rest ? `${job.links.self}/${rest}` : job.links.self;
    const answer = await lab.request('HEAD', path, { headers });
    expect([answer.status, answer.text]).toEqual([rest ? 202 : 304, '']);
  });
});

test('a disconnected waiter is forgotten at once', async () => {
  const experiment = newExperiment();
  const { jobId } = await lab.manual();
  const headers = { Prefer: 'wait=60', Experiment: experiment };
  const leaving = new AbortController();
  const { signal } = leaving;
  const gone = lab.request('GET', `/jobs/${jobId}/result`, { headers, signal }).catch(() => 'gone');
  await lab.held(experiment);
  leaving.abort();
  expect(await gone).toBe('gone');
  const { requests } = await lab.settled(experiment, 1);
  expect(requests[0]?.answeredAt).toBeNull();
});

withSettings('waiting clients are bounded', ['--max-waiters', '2'], (few) => {
  test('503 with Retry-After past the bound; short polls are still answered', async () => {
    const experiment = newExperiment();
    const { jobId } = await few.manual();
    const headers = { Prefer: 'wait=60', Experiment: experiment };
    const polls = [1, 2].map(() => few.get(`/jobs/${jobId}/result`, headers));
    await few.held(experiment, 2);

    const path = `/jobs/${jobId}`;
    const { etag = '' } = (await few.get(path)).headers;
    const refused = [
      await few.get(`${path}/result`, { Prefer: 'wait=60' }),
      await few.get(path, { Prefer: 'wait=60', 'If-None-Match': etag }),
      await few.get(`${path}/events?min=9`, { Accept: 'application/json', Prefer: 'wait=60' }),
      await few.get(`${path}/events`, { Accept: 'text/event-stream' }),
      await few.get('/events', { Accept: 'text/event-stream' }),
    ];
    for (const answer of refused) {
      expectProblem(answer, 503);
      expectRetryAfter(answer);
    }
    expect((await few.get(path)).status).toBe(200);
    expect((await few.get(`${path}/result`)).status).toBe(202);

    await few.finish(jobId);
    for (const answer of await Promise.all(polls)) expect(answer.status).toBe(200);
    await few.settled(experiment, 2);
    const stream = await few.stream(`${path}/events`);
    expect(stream.status).toBe(200);
    stream.close();
  });

  test('a submit that waits is taken all the same: 202 without Preference-Applied', async () => {
    const experiment = newExperiment();
    const { jobId } = await few.manual();
    const headers = { Prefer: 'wait=60', Experiment: experiment };
    const polls = [1, 2].map(() => few.get(`/jobs/${jobId}/result`, headers));
    await few.held(experiment, 2);
    const answer = await few.post('/jobs', { kind: 'manual' }, { Prefer: 'wait=60' });
    expect(answer.status).toBe(202);
    expect(answer.headers).not.toHaveProperty(applied);
    expect(answer.headers.location).toBe(`/jobs/${answer.job.jobId}`);
    await few.finish(jobId);
    await Promise.all(polls);
  });

  test('a submit that streams is refused before there is a job', async () => {
    const experiment = newExperiment();
    const { jobId } = await few.manual();
    const polls = [1, 2].map(() => few.get(`/jobs/${jobId}/result`, { Prefer: 'wait=60', Experiment: experiment }));
    await few.held(experiment, 2);
    const refused = await few.post('/jobs', { kind: 'manual' }, { Accept: 'text/event-stream' });
    expectProblem(refused, 503);
    expectRetryAfter(refused);
    expect((await few.get('/jobs?limit=1')).json<JobPage>().jobs[0]?.jobId).toBe(jobId); // the newest
    await few.finish(jobId);
    await Promise.all(polls);
  });
});
