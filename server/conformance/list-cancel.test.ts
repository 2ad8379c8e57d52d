import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { expectProblem } from './expectations.js';
import { hops, OWN_QUEUE, target } from './server.js';
import type { JobPage } from './types.js';
import { eventually } from './within.js';

const lab = target();
const clip = await readFile(new URL('./fixtures/clip.mp4', import.meta.url));

const list = async (query = '') => (await lab.get(`/jobs${query}`)).json<JobPage>();

/** Turns pages until the end, or until all of some jobs were seen. */
async function pages(query: string, until: string[] = []): Promise<string[]> {
  const seen: string[] = [];
  let after = '';
  for (;;) {
    const { jobs, next } = await list(`?${query}${after}`);
    seen.push(...jobs.map(({ jobId }) => jobId));
    if (next === null) return seen;
    expect(jobs.length).toBeGreaterThan(0);
    if (until.length && until.every((id) => seen.includes(id))) return seen;
    after = `&after=${encodeURIComponent(next)}`;
  }
}

describe('GET /jobs?state=&limit=&after=', () => {
  test('newest first', async () => {
    const made = [];
    for (let n = 0; n < 3; n++) made.unshift((await lab.manual()).jobId);
    const { jobs } = await list('?limit=3');
    expect(jobs.map(({ jobId }) => jobId)).toEqual(made);
    expect(jobs[0]).toEqual(await lab.job(made[0] ?? ''));
  });

  test('page by page: each once, in order, also when jobs are added meanwhile; next is null at the end', async () => {
    const made: string[] = [];
    for (let n = 0; n < 7; n++) made.unshift((await lab.manual()).jobId);
    const first = await list('?limit=2');
    expect(first.jobs.map(({ jobId }) => jobId)).toEqual(made.slice(0, 2));
    await lab.manual();
    const rest = await pages('limit=2', made);
    expect(rest.filter((id) => made.includes(id))).toEqual(made);
    const second = await list(`?limit=5&after=${encodeURIComponent(first.next ?? '')}`);
    expect(second.jobs.map(({ jobId }) => jobId)).toEqual(made.slice(2));
  });

  test('to the end, where next is null', async () => {
    const { jobId } = await lab.finished();
    const all = await pages('limit=100');
    expect(all[0]).toBe(jobId);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(7);
  });

  test.for(['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const)(
    'only those of a state: %s',
    async (state, { skip }) => {
      skip(hops && state === 'queued', OWN_QUEUE);
      const blocker = (await lab.upload(clip, { query: '?durationMs=600000' })).job;
      const waiting = (await lab.upload(clip)).job;
      const running = await lab.manual();
      const succeeded = await lab.finished();
      const failed = await lab.finished({ error: { title: 'Out of tape' } });
      const { job: cancelled } = await lab.delete(`/jobs/${(await lab.manual()).jobId}`);
      const { jobs } = await list(`?state=${state}`);
      expect(new Set(jobs.map((job) => job.state))).toEqual(new Set([state]));
      const newest = { queued: waiting, running, succeeded, failed, cancelled }[state];
      expect(jobs[0]?.jobId).toBe(newest.jobId);
      for (const { jobId } of [blocker, waiting, running]) await lab.delete(`/jobs/${jobId}`);
    },
  );

  test.each(['limit=0', 'limit=-1', 'limit=many', 'limit=1.5', 'limit=', 'state=asleep', 'after=%21%21'])(
    '400 for ?%s',
    async (query) => {
      expectProblem(await lab.get(`/jobs?${query}`), 400);
    },
  );
});

describe('DELETE /jobs/{id}', () => {
  test('cancels: 200 and the job', async () => {
    const { jobId } = await lab.manual();
    await lab.progress(jobId, 0.3);
    const before = await lab.job(jobId);
    const answer = await lab.delete(`/jobs/${jobId}`);
    expect([answer.status, answer.type]).toEqual([200, 'application/json']);
    expect(answer.job).toMatchObject({
      jobId,
      state: 'cancelled',
      progress: 0.3,
      version: before.version + 1,
      result: null,
    });
    expect(answer.job.finishedAt).not.toBeNull();
    expect(await lab.job(jobId)).toEqual(answer.job);
  });

  test('the job tells `cancelled`, and nothing after it', async () => {
    // On a slow machine, the job may end before the cancel comes: then it is another one's turn.
    const jobId = await eventually(async () => {
      const { jobId, links } = await lab.simulated({ durationMs: 400, steps: 100 });
      const stream = await lab.stream(links.events);
      await stream.upTo('progress');
      const { job } = await lab.delete(links.self);
      expect((await stream.toTheEnd()).at(-1)?.event).toBe(job.state);
      stream.close();
      return job.state === 'cancelled' ? jobId : undefined;
    }, 'a cancel that comes in time');
    // A second job of the same length ends after the first would have.
    await lab.until((await lab.simulated({ durationMs: 400, steps: 100 })).jobId);
    const { events: all } = await lab.consume(`/jobs/${jobId}/events`);
    expect(all.at(-1)?.event).toBe('cancelled');
    expect((await lab.job(jobId)).state).toBe('cancelled');
  });

  test.for(['queued', 'running'] as const)('an upload that is %s', async (state, { skip }) => {
    skip(hops && state === 'queued', OWN_QUEUE);
    const blocker = (await lab.upload(clip, { query: '?durationMs=600000' })).job;
    await lab.until(blocker.jobId, 'running');
    const other = (await lab.upload(clip)).job;
    const { jobId } = state === 'running' ? blocker : other;
    expect((await lab.delete(`/jobs/${jobId}`)).job.state).toBe('cancelled');
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    expect(events.filter(({ event }) => event === 'cancelled')).toHaveLength(1);
    expect(events.at(-1)?.event).toBe('cancelled');
    await lab.delete(`/jobs/${blocker.jobId}`);
    await lab.until(other.jobId);
  });

  test('a finished one is left as it is', async () => {
    for (const outcome of [{ result: 7 }, { error: { title: 'Out of tape' } }]) {
      const job = await lab.finished(outcome);
      const answer = await lab.delete(job.links.self);
      expect([answer.status, answer.job]).toEqual([200, job]);
      expect(await lab.job(job.jobId)).toEqual(job);
    }
    const { jobId } = await lab.manual();
    const first = await lab.delete(`/jobs/${jobId}`);
    expect((await lab.delete(`/jobs/${jobId}`)).job).toEqual(first.job);
  });

  test('finished and cancelled at once, it ends once', async () => {
    for (let n = 0; n < 20; n++) {
      const { jobId, links } = await lab.manual();
      const [finish, cancel] = await Promise.all([
        lab.post(`/jobs/${jobId}/finish`, { result: n }),
        lab.delete(`/jobs/${jobId}`),
        lab.post(`/jobs/${jobId}/progress`, { progress: 1 }),
      ]);
      const { events } = await lab.consume(links.events);
      const ends = events.filter(({ event }) => /succeeded|failed|cancelled/.test(event));
      expect(ends).toHaveLength(1);
      expect(events.at(-1)).toEqual(ends[0]);
      const job = await lab.job(jobId);
      expect(ends[0]?.event).toBe(job.state);
      // Each was told what came of it.
      expect(finish.status).toBe(job.state === 'succeeded' ? 204 : 409);
      expect([cancel.status, cancel.job.state]).toEqual([200, job.state]);
    }
  });

  test('404 for a job that is not there', async () => {
    expectProblem(await lab.delete('/jobs/nobody'), 404);
  });
});
