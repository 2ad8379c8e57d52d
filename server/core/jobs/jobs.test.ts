import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SqliteStore } from '../../edge/store/sqlite-store.js';
import { Uploads } from '../../edge/uploads/uploads.js';
import { EventLog } from '../log/log.js';
import { Jobs } from './jobs.js';
import { Simulator } from './simulated.js';

let folder: string;
let store: SqliteStore;
let log: EventLog;
let jobs: Jobs;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'polling-lab-jobs-'));
  store = SqliteStore.at(folder);
  log = await EventLog.open(store, { events: 1_000, eventBytes: 1e6, jobs: 10, jobBytes: 1e6 });
  jobs = new Jobs(log, { jobs: 10, jobBytes: 1e6 }, 10);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

test('a retry that comes while its first try fails keeps the Idempotency-Key', async () => {
  const key = { name: 'k', fingerprint: 'f' };
  const first = jobs.create({ kind: 'manual' }, key, 'first');
  vi.spyOn(store, 'commit').mockImplementationOnce(() => {
    throw new Error('disk is full');
  });
  void log.flush();
  expect(jobs.submittedWith('k')).toBeUndefined();
  const retry = jobs.create({ kind: 'manual' }, key, 'retry');
  await expect(first).rejects.toThrow(/disk is full/);
  await retry;
  expect(jobs.submittedWith('k')?.job.jobId).toBe('retry');
  expect(jobs.unfinished).toBe(1);
});

test('an upload whose file cannot be removed does not stop those after it', async () => {
  const uploads = new Uploads(join(folder, 'uploads'), jobs, { maxStoredBytes: 1e6, stallMs: 1_000, abandonedMs: 0 });
  mkdirSync(join(uploads.folder, 'stuck'));
  writeFileSync(join(uploads.folder, 'next'), 'x');
  const topics = await Promise.all(
    ['stuck', 'next'].map((file) => jobs.create({ kind: 'video', file, bytes: 1, paceMs: null }, null, file)),
  );
  for (const topic of topics) uploads.enqueue(topic);
  await vi.waitFor(() => expect(topics.map(({ job }) => job.state)).toEqual(['failed', 'failed']), 30_000);
});

test('a simulated job goes on after a cancel that cannot be committed', async () => {
  const spec = { kind: 'simulated' as const, durationMs: 400, steps: 2, failAtStep: null };
  const topic = await jobs.create(spec, null, 'job');
  let cancelled: Promise<void> | undefined;
  const progress = jobs.progress.bind(jobs);
  vi.spyOn(jobs, 'progress').mockImplementationOnce((...step) => {
    queueMicrotask(() => {
      void log.flush(); // commits the step; the job has yet to hear of it when it is cancelled
      vi.spyOn(store, 'commit').mockImplementationOnce(() => {
        throw new Error('disk is full');
      });
      cancelled = jobs.end(topic, { event: 'cancelled' });
      cancelled.catch(() => {}); // it is looked at below
    });
    return progress(...step);
  });
  new Simulator(jobs).run(topic);
  await vi.waitFor(() => expect(cancelled).toBeDefined(), 30_000);
  await expect(cancelled).rejects.toThrow(/disk is full/);
  await vi.waitFor(() => expect(topic.job.state).toBe('succeeded'), 30_000);
});

test('the steps of all simulated jobs are bounded in each commit, and after stop() there are none', async () => {
  const many = new Jobs(log, { jobs: 10, jobBytes: 1e6 }, 300);
  const spec = { kind: 'simulated' as const, durationMs: 0, steps: 1_000, failAtStep: null };
  const records = await Promise.all(Array.from({ length: 300 }, (_, n) => many.create(spec, null, `job-${n}`)));
  const simulator = new Simulator(many);
  const commit = vi.spyOn(store, 'commit');
  for (const record of records) simulator.run(record);
  await vi.waitFor(() => expect(commit.mock.calls.length).toBeGreaterThan(20), 30_000);
  simulator.stop();
  await log.flush();
  const count = commit.mock.calls.length;
  const sizes = commit.mock.calls.map(([changes]) => changes.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(512); // 256 steps, and the ends of 256 jobs
  expect(records.filter(({ job }) => job.progress > 0).length).toBe(300); // they take turns
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve)); // it took steps in each turn
  expect(commit.mock.calls.length).toBe(count);
});

test('the newest event and the newest finished job stay, however large they are', async () => {
  const small = { events: 10, eventBytes: 1, jobs: 10, jobBytes: 1 };
  const narrow = new Jobs(await EventLog.open(store, small), small, 10);
  for (const jobId of ['first', 'second']) {
    const record = await narrow.create({ kind: 'manual' }, null, jobId);
    await narrow.end(record, { event: 'succeeded', result: 'x'.repeat(100) });
  }
  expect([...narrow.log.jobs()].map(({ job }) => job.jobId)).toEqual(['second']);
  expect(narrow.log.all.oldest).toMatchObject({ jobId: 'second', event: 'succeeded' });
});
