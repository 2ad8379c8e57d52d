import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Jobs } from '../../core/jobs/jobs.js';
import { EventLog } from '../../core/log/log.js';
import { DelayedStore } from '../store/delayed-store.js';
import { SqliteStore } from '../store/sqlite-store.js';
import { inTurn } from './manual.js';

test('reports of a job are decided in the order in which they come, whenever they come while a store takes its time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'polling-lab-manual-'));
  const bounds = { events: 1_000, eventBytes: 1e6, jobs: 10, jobBytes: 1e6 };
  const log = await EventLog.open(new DelayedStore(SqliteStore.at(folder)), bounds);
  const jobs = new Jobs(log, { jobs: 10, jobBytes: 1e6 }, 10);
  const record = await jobs.create({ kind: 'manual' }, null, 'job');
  const decided: number[] = [];
  const report = (n: number) =>
    inTurn(log, record, () => {
      decided.push(n, record.job.progress * 64);
      return jobs.progress(record, n / 64);
    });
  const reports: Promise<void>[] = [];
  for (let n = 1; n <= 32; n++) {
    reports.push(report(n));
    for (let turns = n % 5; turns > 0; turns--) await nextTurn();
  }
  await Promise.all(reports);
  expect(decided).toEqual(Array.from({ length: 32 }, (_, n) => [n + 1, n]).flat());
  await log.close();
  rmSync(folder, { recursive: true });
});
