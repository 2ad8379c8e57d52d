import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EventLog } from '../log/log.js';
import { Store } from '../log/store.js';
import { Jobs } from './jobs.js';
import { Uploads } from './uploads.js';

let folder: string;
let store: Store;
let jobs: Jobs;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'polling-lab-jobs-'));
  store = Store.open(folder);
  jobs = new Jobs(new EventLog(store, 1_000), 10, 10);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

test('a retry that comes while its first try fails keeps the Idempotency-Key', async () => {
  const key = { name: 'k', fingerprint: 'f' };
  const first = jobs.create({ kind: 'manual' }, key, 'first');
  vi.spyOn(store, 'save').mockImplementationOnce(() => {
    throw new Error('disk is full');
  });
  expect(jobs.submittedWith('k')).toBeUndefined();
  const retry = jobs.create({ kind: 'manual' }, key, 'retry');
  await expect(first).rejects.toThrow(/disk is full/);
  await retry;
  expect(jobs.submittedWith('k')?.job.jobId).toBe('retry');
  expect(jobs.unfinished).toBe(1);
});

test('an upload whose file cannot be removed does not stop those after it', async () => {
  const uploads = new Uploads(join(folder, 'uploads'), jobs);
  mkdirSync(join(uploads.folder, 'stuck'));
  writeFileSync(join(uploads.folder, 'next'), 'x');
  const topics = await Promise.all(
    ['stuck', 'next'].map((file) => jobs.create({ kind: 'video', file, bytes: 1, paceMs: null }, null, file)),
  );
  for (const topic of topics) uploads.enqueue(topic);
  await vi.waitFor(() => expect(topics.map(({ job }) => job.state)).toEqual(['failed', 'failed']));
});
