import { describe, expect, test } from 'vitest';
import type { Answer } from './client.js';
import { expectProblem, expectRetryAfter, TIMESTAMP } from './expectations.js';
import { target } from './server.js';

const lab = target();

function expectSubmitted(answer: Answer, kind: string) {
  expect(answer.status).toBe(202);
  expect(answer.type).toBe('application/json');
  expectRetryAfter(answer);
  const { job } = answer;
  expect(answer.headers.location).toBe(`/jobs/${job.jobId}`);
  expect(job.kind).toBe(kind);
  return job;
}

describe('a job', () => {
  test('has the members of the contract, and links that lead to it', async () => {
    const job = await lab.manual();
    expect(Object.keys(job)).toEqual(
      expect.arrayContaining([
        ...['jobId', 'kind', 'state', 'progress', 'version', 'createdAt', 'startedAt'],
        ...['finishedAt', 'result', 'error', 'links'],
      ]),
    );
    expect(job.createdAt).toMatch(TIMESTAMP);
    expect(job.result).toBeNull();
    expect(job.error).toBeNull();
    expect(job.finishedAt).toBeNull();
    expect(job.links).toEqual({
      self: `/jobs/${job.jobId}`,
      result: `/jobs/${job.jobId}/result`,
      events: `/jobs/${job.jobId}/events`,
    });
    expect((await lab.get(job.links.self)).status).toBe(200);
    expect((await lab.get(job.links.result)).status).toBe(202);
    expect((await lab.get(job.links.events, { Accept: 'application/json' })).status).toBe(200);
  });

  test('has timestamps of RFC 3339 in UTC, in the order of its life', async () => {
    const { jobId } = await lab.simulated({ durationMs: 20 });
    const job = await lab.until(jobId);
    const times = [job.createdAt, job.startedAt, job.finishedAt].map(String);
    for (const time of times) expect(time).toMatch(TIMESTAMP);
    const order = times.map((time) => Date.parse(time));
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  test('has a version that goes up by one with every change', async () => {
    const { jobId } = await lab.manual();
    let { version } = await lab.job(jobId);
    for (const progress of [0.25, 0.5, 0.75]) {
      await lab.progress(jobId, progress);
      expect((await lab.job(jobId)).version).toBe(++version);
    }
    await lab.finish(jobId);
    expect((await lab.job(jobId)).version).toBe(version + 1);
  });
});

describe('POST /jobs { "kind": "simulated" }', () => {
  test('answers 202 with Location, Retry-After and the job', async () => {
    const answer = await lab.post('/jobs', { kind: 'simulated', durationMs: 10, steps: 2 });
    expectSubmitted(answer, 'simulated');
  });

  test('tells one progress event a step, the last one at 1; the result is steps and durationMs', async () => {
    const { jobId } = await lab.simulated({ durationMs: 40, steps: 4 });
    const job = await lab.until(jobId);
    expect(job).toMatchObject({
      state: 'succeeded',
      progress: 1,
      result: { steps: 4, durationMs: 40 },
    });
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    expect(events.map(({ event, data }) => `${event} ${data.progress}`)).toEqual([
      'queued 0',
      'started 0',
      'progress 0.25',
      'progress 0.5',
      'progress 0.75',
      'progress 1',
      'succeeded 1',
    ]);
  });

  test('lasts as long as it says: never shorter', async () => {
    const { jobId } = await lab.simulated({ durationMs: 250, steps: 5 });
    const job = await lab.until(jobId);
    const lasted = Date.parse(job.finishedAt ?? '') - Date.parse(job.startedAt ?? '');
    // Timestamps are whole milliseconds, so each end may be off by one.
    expect(lasted).toBeGreaterThanOrEqual(248);
  });

  test('step failAtStep is `failed` instead', async () => {
    const { jobId } = await lab.simulated({ durationMs: 0, steps: 4, failAtStep: 3 });
    const job = await lab.until(jobId);
    expect(job.state).toBe('failed');
    expect(job.result).toBeNull();
    expect(job.error?.title).toMatch(/\S/);
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    expect(events.map(({ event }) => event)).toEqual(['queued', 'started', 'progress', 'progress', 'failed']);
    expect(events.at(-1)?.data.error).toEqual(job.error);
  });

  test.each([
    { durationMs: 0, steps: 1 },
    { durationMs: 0, steps: 1000 },
  ])('takes the ends of its ranges: %o', async (settings) => {
    const { jobId } = await lab.simulated(settings);
    expect((await lab.until(jobId)).result).toEqual(settings);
  });

  test('takes ten minutes, the longest', async () => {
    const { jobId } = await lab.simulated({ durationMs: 600_000, steps: 1 });
    expect((await lab.delete(`/jobs/${jobId}`)).job.state).toBe('cancelled');
  });

  test('ignores unknown members and query parameters', async () => {
    const job = { kind: 'simulated', durationMs: 0, steps: 1, color: 'blue' };
    expectSubmitted(await lab.post('/jobs?flavor=sour', job), 'simulated');
  });

  test.each([
    ['durationMs below 0', { durationMs: -1 }],
    ['durationMs above 600000', { durationMs: 600_001 }],
    ['durationMs no number', { durationMs: '20' }],
    ['durationMs null', { durationMs: null }],
    ['steps 0', { steps: 0 }],
    ['steps above 1000', { steps: 1001 }],
    ['steps no whole number', { steps: 1.5 }],
    ['steps no number', { steps: [4] }],
    ['failAtStep 0', { failAtStep: 0 }],
    ['failAtStep past the last', { failAtStep: 5 }],
    ['failAtStep no whole number', { failAtStep: 2.5 }],
    ['an unknown kind', { kind: 'imaginary' }],
    ['a kind that is uploaded', { kind: 'video' }],
    ['no kind', { kind: undefined }],
  ])('400 for what is out of range: %s', async (_, wrong) => {
    const settings = { kind: 'simulated', durationMs: 0, steps: 4, ...wrong };
    const problem = expectProblem(await lab.post('/jobs', settings), 400);
    expect(problem.detail).toContain(Object.keys(wrong)[0]);
  });
});

describe('POST /jobs { "kind": "manual" }', () => {
  test('answers 202 with Location, Retry-After and the job, which has started at once', async () => {
    const { jobId } = expectSubmitted(await lab.post('/jobs', { kind: 'manual' }), 'manual');
    const { events } = await lab.consume(`/jobs/${jobId}/events?min=2`, { Prefer: 'wait=20' });
    expect(events.map(({ event }) => event)).toEqual(['queued', 'started']);
    expect((await lab.job(jobId)).state).toBe('running');
  });

  test('moves only when told: POST …/progress and …/finish answer 204', async () => {
    const { jobId } = await lab.manual();
    const progress = await lab.post(`/jobs/${jobId}/progress`, { progress: 0.4 });
    expect([progress.status, progress.text]).toEqual([204, '']);
    expect((await lab.job(jobId)).progress).toBe(0.4);
    const finish = await lab.post(`/jobs/${jobId}/finish`, { result: ['kept', { as: 'it is' }] });
    expect([finish.status, finish.text]).toEqual([204, '']);
    expect(await lab.job(jobId)).toMatchObject({
      state: 'succeeded',
      result: ['kept', { as: 'it is' }],
      error: null,
    });
  });

  test.each([
    { value: null },
    { value: 0 },
    { value: '' },
    { value: false },
    { value: [] },
    { value: 'a "text"\nof two lines' },
  ])('its result may be any JSON: %j', async ({ value }) => {
    const job = await lab.finished({ result: value });
    expect(job.state).toBe('succeeded');
    expect(job.result).toEqual(value);
    const answer = await lab.get(job.links.result);
    expect(answer.status).toBe(200);
    expect(answer.json<unknown>()).toEqual(value);
  });

  test('finished with an error it has failed, and the error is a problem object', async () => {
    const error = { title: 'Out of tape', detail: 'The reel ended at frame 7.' };
    const job = await lab.finished({ error });
    expect(job).toMatchObject({ state: 'failed', result: null, error });
  });

  test('and stays one when the error came as a mere text', async () => {
    const { jobId } = await lab.manual();
    const answer = await lab.post(`/jobs/${jobId}/finish`, { error: 'The reel ended.' });
    if (answer.status !== 204) return void expectProblem(answer, 400);
    const { error } = await lab.job(jobId);
    expect(error).toMatchObject({ title: expect.stringMatching(/\S/) });
    expect(JSON.stringify(error)).toContain('The reel ended.');
  });

  test('409 once it has ended', async () => {
    const { jobId } = await lab.finished();
    expectProblem(await lab.post(`/jobs/${jobId}/progress`, { progress: 1 }), 409);
    expectProblem(await lab.post(`/jobs/${jobId}/finish`, { result: 1 }), 409);
    const cancelled = await lab.manual();
    await lab.delete(`/jobs/${cancelled.jobId}`);
    expectProblem(await lab.post(`/jobs/${cancelled.jobId}/finish`, { result: 1 }), 409);
  });

  test('409 for a progress that would go backwards, which changes nothing', async () => {
    const { jobId } = await lab.manual();
    await lab.progress(jobId, 0.5);
    const before = await lab.job(jobId);
    expectProblem(await lab.post(`/jobs/${jobId}/progress`, { progress: 0.4 }), 409);
    expect(await lab.job(jobId)).toEqual(before);
    await lab.progress(jobId, 0.5);
  });

  test("other members of a progress body are passed on in the event's data", async () => {
    const { jobId } = await lab.manual();
    await lab.progress(jobId, 0.1, {
      frame: 7,
      note: 'line\r\n\r\ndata: not a field\u2028',
      at: [],
    });
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    expect(events.at(-1)?.data).toMatchObject({
      jobId,
      progress: 0.1,
      frame: 7,
      note: 'line\r\n\r\ndata: not a field\u2028',
      at: [],
    });
  });

  test('but none of them stands in for jobId, progress or version', async () => {
    const { jobId } = await lab.manual();
    await lab.progress(jobId, 0.1, { jobId: 'another', version: 99 });
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    const { version } = await lab.job(jobId);
    expect(events.at(-1)?.data).toMatchObject({ jobId, version, progress: 0.1 });
  });

  test('up to 1 KiB of them', async () => {
    const { jobId } = await lab.manual();
    await lab.progress(jobId, 0.1, { note: 'x'.repeat(900) });
    const answer = await lab.post(`/jobs/${jobId}/progress`, {
      progress: 0.2,
      note: 'x'.repeat(2000),
    });
    expectProblem(answer, 400, 413);
    expect((await lab.job(jobId)).progress).toBe(0.1);
  });

  test.each([
    ['above 1', { progress: 1.1 }],
    ['below 0', { progress: -0.1 }],
    ['no number', { progress: '0.5' }],
    ['null', { progress: null }],
    ['not there', {}],
    ['in a list', [{ progress: 0.5 }]],
  ])('400 for a progress %s', async (_, body) => {
    const { jobId } = await lab.manual();
    expectProblem(await lab.post(`/jobs/${jobId}/progress`, body), 400);
    expect((await lab.job(jobId)).progress).toBe(0);
  });

  test.each([
    ['neither result nor error', {}],
    ['a list', []],
    ['null', null],
  ])('400 for a finish with %s', async (_, body) => {
    const { jobId } = await lab.manual();
    expectProblem(await lab.post(`/jobs/${jobId}/finish`, body), 400);
    expect((await lab.job(jobId)).state).toBe('running');
  });

  test('404 for progress and finish of a job that is not there', async () => {
    expectProblem(await lab.post('/jobs/nobody/progress', { progress: 1 }), 404);
    expectProblem(await lab.post('/jobs/nobody/finish', { result: 1 }), 404);
  });

  test('409 for progress and finish of a job of another kind', async () => {
    const { jobId } = await lab.simulated({ durationMs: 600_000, steps: 1 });
    expectProblem(await lab.post(`/jobs/${jobId}/progress`, { progress: 1 }), 409);
    expectProblem(await lab.post(`/jobs/${jobId}/finish`, { result: 1 }), 409);
    await lab.delete(`/jobs/${jobId}`);
  });
});

describe('POST /jobs, malformed', () => {
  test.each([
    ['no JSON', '{"kind": "manual"'],
    ['an empty body', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"manual"'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ])('400 for %s', async (_, body) => {
    const headers = { 'Content-Type': 'application/json' };
    expectProblem(await lab.request('POST', '/jobs', { headers, body }), 400);
  });

  test.each(['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'image/png', 'video'])(
    '415 for %s',
    async (type) => {
      const headers = { 'Content-Type': type };
      expectProblem(await lab.request('POST', '/jobs', { headers, body: '{"kind":"manual"}' }), 415);
    },
  );

  test('a type with parameters, in capitals, is the same type', async () => {
    const headers = { 'Content-Type': 'Application/JSON; charset=UTF-8' };
    const answer = await lab.request('POST', '/jobs', { headers, body: '{"kind":"manual"}' });
    expect(answer.status).toBe(202);
  });
});
