import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Headers, newExperiment } from './client.js';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { RawConnection } from './raw.js';
import { target, withSettings } from './server.js';
import { StreamReader } from './stream.js';
import type { JobPage } from './types.js';
import { eventually } from './within.js';

const lab = target();
const applied = 'preference-applied';
const clip = await readFile(new URL('./fixtures/clip.mp4', import.meta.url));
const quick = { kind: 'simulated', durationMs: 20, steps: 2, failAtStep: null };

describe('POST /jobs with Prefer: wait=N: plain request/response', () => {
  test('200 and the result itself, with Location and Preference-Applied', async () => {
    const answer = await lab.post('/jobs', quick, { Prefer: 'wait=60' });
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ steps: 2, durationMs: 20 });
    expect(answer.headers[applied]).toBe('wait=60');
    const job = (await lab.get(answer.headers.location ?? '')).job;
    expect(job.state).toBe('succeeded');
  });

  test('an upload too', async () => {
    const answer = await lab.upload(clip, { headers: { Prefer: 'wait=60' } });
    expect([answer.status, answer.headers[applied]]).toEqual([200, 'wait=60']);
    expect(answer.json()).toMatchObject({ bytes: clip.length, width: 64 });
    expect(answer.headers.location).toMatch(/^\/jobs\/./);
  });

  test('a manual job is held until it is finished', async () => {
    const experiment = newExperiment();
    const headers = { Prefer: 'wait=60', Experiment: experiment };
    const submit = lab.post('/jobs', { kind: 'manual' }, headers);
    await lab.held(experiment);
    const { jobs } = (await lab.get('/jobs?limit=1')).json<JobPage>();
    await lab.finish(jobs[0]?.jobId ?? '', { result: 'told' });
    const answer = await submit;
    expect([answer.status, answer.text]).toEqual([200, '"told"']);
    expect(answer.headers.location).toBe(`/jobs/${jobs[0]?.jobId}`);
  });

  test('409 problem with Location if it fails', async () => {
    const answer = await lab.post('/jobs', { ...quick, failAtStep: 1 }, { Prefer: 'wait=60' });
    expectProblem(answer, 409);
    expect((await lab.get(answer.headers.location ?? '')).job.state).toBe('failed');
  });

  test('202 and the job, with Location and Preference-Applied, if N seconds pass first', async () => {
    for (const seconds of [0, 1]) {
      const answer = await lab.post('/jobs', { kind: 'manual' }, { Prefer: `wait=${seconds}` });
      expect([answer.status, answer.headers[applied]]).toEqual([202, `wait=${seconds}`]);
      expectRetryAfter(answer);
      expect(answer.headers.location).toBe(`/jobs/${answer.job.jobId}`);
    }
  });

  test('?wait=N means the same, without Preference-Applied', async () => {
    const answer = await lab.post('/jobs?wait=60', quick);
    expect([answer.status, answer.headers[applied]]).toEqual([200, undefined]);
    expect(answer.headers.location).toMatch(/^\/jobs\/./);
  });
});

describe('POST /jobs with Accept: text/event-stream: submit and stream in one request', () => {
  const headers = { Accept: 'text/event-stream' };
  const submitted = async (json: object, more: Headers = {}, query = '') =>
    new StreamReader(await lab.open('POST', `/jobs${query}`, { json, headers: { ...headers, ...more } }));

  test('200, Location, and the stream from its first event; a client that loses it goes on with GET', async () => {
    const stream = await submitted(quick);
    const { location = '' } = stream.headers;
    expect([stream.status, stream.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect(location).toMatch(/^\/jobs\/./);
    const events = await stream.toTheEnd();
    expect(events.map(({ event }) => event)).toEqual(['queued', 'started', 'progress', 'progress', 'succeeded']);
    expect([stream.retry, stream.over]).toEqual([1_000, false]); // as any stream: it is for the client to close
    stream.close();
    const resumed = await lab.stream(`${location}/events`, { 'Last-Event-ID': events[1]?.id as string });
    expect((await resumed.toTheEnd()).map(({ id }) => id)).toEqual(events.slice(2).map(({ id }) => id));
    resumed.close();
  });

  test('an upload too', async () => {
    const type = { 'Content-Type': 'video/mp4' };
    const stream = new StreamReader(await lab.open('POST', '/jobs', { body: clip, headers: { ...headers, ...type } }));
    expect((await stream.toTheEnd()).at(-1)?.data.result).toMatchObject({ bytes: clip.length });
    stream.close();
  });

  test('the ledger counts its events as those of a submit; a client that leaves does not cancel the job', async () => {
    const experiment = newExperiment();
    const stream = await submitted({ kind: 'manual' }, { Experiment: experiment });
    await stream.upTo('started');
    stream.close();
    const { requests } = await lab.settled(experiment, 1);
    expect(requests[0]).toMatchObject({ technique: 'submit', status: 200, events: 2 });
    expect((await lab.get(stream.headers.location ?? '')).job.state).toBe('running');
  });

  test('wait and a cursor mean nothing in it', async () => {
    const stream = await submitted(quick, { Prefer: 'wait=0', 'Last-Event-ID': 'no-id' }, '?after=no-id');
    expect((await stream.next()).event).toBe('queued');
    stream.close();
  });

  test('JSON if the client prefers that, or says nothing', async () => {
    for (const accept of ['application/json, text/event-stream', 'text/event-stream;q=0.5, */*', '*/*'])
      expect((await lab.post('/jobs', quick, { Accept: accept })).type, accept).toBe('application/json');
  });

  test('a problem if there is no job', async () => {
    expectProblem(await lab.post('/jobs', { kind: 'imaginary' }, headers), 400);
  });

  test('a repeated submit is the same stream, also when the job has ended', async () => {
    const key = { 'Idempotency-Key': randomUUID() };
    const [first, second] = [await submitted(quick, key), await submitted(quick, key)];
    const events = await first.toTheEnd();
    const third = await submitted(quick, key);
    for (const again of [second, third]) {
      expect(again.headers.location).toBe(first.headers.location);
      expect((await again.toTheEnd()).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    }
    for (const stream of [first, second, third]) stream.close();
  });
});

describe('Idempotency-Key', () => {
  const key = () => ({ 'Idempotency-Key': randomUUID() });

  test('a repeated submit is the same job', async () => {
    const headers = key();
    const first = await lab.post('/jobs', { kind: 'manual' }, headers);
    const second = await lab.post('/jobs', { kind: 'manual' }, headers);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.job.jobId).toBe(first.job.jobId);
    expect(second.headers.location).toBe(first.headers.location);
  });

  test('also for an upload, chunked or not', async () => {
    const headers = key();
    async function* chunks() {
      yield clip.subarray(0, 1000);
      yield clip.subarray(1000);
    }
    const first = await lab.upload(clip, { headers });
    const second = await lab.upload(chunks(), { headers });
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.job.jobId).toBe(first.job.jobId);
  });

  test('also when the job has ended: it is told as it is', async () => {
    const headers = key();
    const { jobId } = (await lab.post('/jobs', { kind: 'manual' }, headers)).job;
    await lab.finish(jobId);
    const again = await lab.post('/jobs', { kind: 'manual' }, headers);
    expect([200, 202]).toContain(again.status);
    expect(again.headers.location).toBe(`/jobs/${jobId}`);
    expect(again.job).toMatchObject({ jobId, state: 'succeeded' });
    const waited = await lab.post('/jobs', { kind: 'manual' }, { ...headers, Prefer: 'wait=60' });
    expect([waited.status, waited.json()]).toEqual([200, { answer: 42 }]);
  });

  test('also while the first is in flight: many at once are one job', async () => {
    const headers = key();
    const answers = await Promise.all(Array.from({ length: 20 }, () => lab.post('/jobs', { kind: 'manual' }, headers)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(202));
    expect(new Set(answers.map(({ job }) => job.jobId)).size).toBe(1);
  });

  const uploadHead = (idempotencyKey: string, experiment: string) =>
    `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: ${clip.length}\r\nIdempotency-Key: ${idempotencyKey}\r\nExperiment: ${experiment}\r\n\r\n`;

  test('also while the body of the first is still on its way', async () => {
    const idempotencyKey = randomUUID();
    const experiment = newExperiment();
    const slow = await RawConnection.connect(lab.base);
    await slow.send(uploadHead(idempotencyKey, experiment));
    await slow.send(clip.subarray(0, 1000));
    await lab.held(experiment);
    const headers = { 'Idempotency-Key': idempotencyKey, Experiment: experiment };
    const second = lab.upload(clip, { headers });
    await slow.send(clip.subarray(1000));
    const [one, two] = [await slow.response('POST'), await second];
    expect([one.status, two.status]).toEqual([202, 202]);
    expect(JSON.parse(one.body).jobId).toBe(two.job.jobId);
    slow.close();
  });

  test('a first that breaks off does not take the second with it', async () => {
    const idempotencyKey = randomUUID();
    const experiment = newExperiment();
    const broken = await RawConnection.connect(lab.base);
    await broken.send(uploadHead(idempotencyKey, experiment));
    await broken.send(clip.subarray(0, 1000));
    await lab.held(experiment);
    const second = lab.upload(clip, { headers: { 'Idempotency-Key': idempotencyKey } });
    broken.close();
    const answer = await second;
    expect(answer.status).toBe(202);
    expect((await lab.until(answer.job.jobId)).state).toBe('succeeded');
    const third = await lab.upload(clip, { headers: { 'Idempotency-Key': idempotencyKey } });
    expect(third.job.jobId).toBe(answer.job.jobId);
  });

  test('wait and experiment may differ: it is the same request', async () => {
    const headers = key();
    const first = await lab.post('/jobs', quick, headers);
    const second = await lab.post(`/jobs?experiment=${newExperiment()}&wait=60`, quick, headers);
    expect([first.status, second.status]).toEqual([202, 200]);
    expect(second.headers.location).toBe(first.headers.location);
    const third = await lab.post('/jobs', quick, { ...headers, Prefer: 'wait=60' });
    expect(third.headers.location).toBe(first.headers.location);
  });

  test.each([
    ['body', '/jobs', '{"kind":"manual","other":1}', 'application/json'],
    ['query', '/jobs?durationMs=10', '{"kind":"manual"}', 'application/json'],
    ['media type', '/jobs', '{"kind":"manual"}', 'video/mp4'],
  ])('422 if the key came with another %s', async (_, path, body, type) => {
    const headers = key();
    const first = await lab.post('/jobs', { kind: 'manual' }, headers);
    expect(first.status).toBe(202);
    const other = await lab.request('POST', path, {
      headers: { ...headers, 'Content-Type': type },
      body,
    });
    const problem = expectProblem(other, 422);
    expect(problem.detail).toMatch(/Idempotency-Key/i);
    // And the first is as it was.
    const again = await lab.post('/jobs', { kind: 'manual' }, headers);
    expect(again.job.jobId).toBe(first.job.jobId);
  });

  test('422 for an upload of other bytes or another video type', async () => {
    const headers = key();
    expect((await lab.upload(clip, { headers })).status).toBe(202);
    const bytes = Buffer.from(clip);
    bytes[bytes.length - 1] = 255 - (bytes.at(-1) ?? 0);
    expectProblem(await lab.upload(bytes, { headers }), 422);
    expectProblem(await lab.upload(clip, { headers, type: 'video/webm' }), 422);
    expectProblem(await lab.upload(clip, { headers, query: '?durationMs=5' }), 422);
    expect((await lab.upload(clip, { headers })).status).toBe(202);
  });

  test('a submit that was refused does not use up its key', async () => {
    const headers = key();
    expectProblem(await lab.post('/jobs', { kind: 'imaginary' }, headers), 400);
    expect((await lab.post('/jobs', { kind: 'manual' }, headers)).status).toBe(202);
  });

  test('other keys are other jobs', async () => {
    const jobs = [await lab.manual(key()), await lab.manual(key()), await lab.manual()];
    expect(new Set(jobs.map(({ jobId }) => jobId)).size).toBe(3);
  });
});

withSettings('unfinished jobs are bounded', ['--max-jobs', '2'], (few) => {
  test('429 with Retry-After past the bound; when one ends, there is room', async () => {
    const headers = { 'Idempotency-Key': randomUUID() };
    const first = await few.manual(headers);
    const second = await few.manual();
    for (const answer of [
      await few.post('/jobs', { kind: 'manual' }),
      await few.post('/jobs', quick),
      await few.upload(clip),
    ]) {
      expectProblem(answer, 429);
      expectRetryAfter(answer);
    }
    // A repeated submit makes no new job.
    expect((await few.manual(headers)).jobId).toBe(first.jobId);
    await few.finish(second.jobId);
    const third = await few.manual();
    expectProblem(await few.post('/jobs', { kind: 'manual' }), 429);
    for (const { jobId } of [first, third]) await few.finish(jobId);
  });
});

withSettings('finished jobs are kept up to a bound', ['--keep-jobs', '3'], (few) => {
  test('the oldest go, with their events and idempotency keys: 404', async () => {
    const headers = { 'Idempotency-Key': randomUUID() };
    const oldest = await few.manual(headers);
    await few.finish(oldest.jobId);
    const running = await few.manual();
    const kept = [await few.finished(), await few.finished(), await few.finished()];
    expectProblem(await few.get(oldest.links.self), 404);
    expectProblem(await few.get(oldest.links.result), 404);
    expectProblem(await few.get(oldest.links.events, { Accept: 'application/json' }), 404);
    expectProblem(await few.get(oldest.links.events), 404);
    for (const { links } of kept) expect((await few.get(links.self)).status).toBe(200);
    expect((await few.get(running.links.self)).status).toBe(200);
    const { jobs } = (await few.get('/jobs')).json<JobPage>();
    expect(jobs.map(({ jobId }) => jobId)).toEqual([running, ...kept].map(({ jobId }) => jobId).reverse());
    expect((await few.manual(headers)).jobId).not.toBe(oldest.jobId);
  });
});

withSettings('clients that leave while their jobs are stored', [], (lab) => {
  test('do not wait', async () => {
    const head =
      'POST /jobs?durationMs=60000 HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\nContent-Type: video/mp4\r\n';
    for (let n = 0; n < 50; n++) {
      const raw = await RawConnection.connect(lab.base);
      await raw.send(`${head}Content-Length: 10\r\n\r\n0123456789`);
      raw.socket.resetAndDestroy();
    }
    const waiting = async () =>
      /^polling_lab_waiting_clients (\d+)$/m.exec((await lab.get('/metrics')).text)?.[1] === '0' ? true : undefined;
    await eventually(waiting, 'nobody to wait any more');
  });
});
