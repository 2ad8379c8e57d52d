import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import type { Job } from '../../core/jobs/job.js';
import type { Store } from '../../core/log/store.js';
import { DelayedStore } from './delayed-store.js';
import { SqliteStore } from './sqlite-store.js';
import { type Place, storeSuite } from './store-suite.js';

const temporary = () => mkdtempSync(join(tmpdir(), 'polling-lab-store-'));

/** A folder. SQLite lets go of a file when the process ends: in this process, the next store gets a copy of the folder. */
function folderPlace(wrap: (store: SqliteStore) => Store): Place {
  const folders = [temporary()];
  let over = false;
  return {
    store() {
      if (over) {
        const copy = temporary();
        cpSync(folders.at(-1) as string, copy, { recursive: true });
        folders.push(copy);
        over = false;
      }
      const store = SqliteStore.at(folders.at(-1) as string);
      const close = store.close.bind(store);
      store.close = () => {
        over = true;
        close();
      };
      return wrap(store);
    },
    crash() {
      over = true;
    },
    remove() {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

storeSuite('SQLite', () => folderPlace((store) => store));
storeSuite('SQLite, some turns of the event loop away', () => folderPlace((store) => new DelayedStore(store)));

const job: Job = {
  jobId: 'a',
  spec: { kind: 'manual' },
  state: 'running',
  progress: 0,
  version: 1,
  createdAt: 'then',
  startedAt: null,
  finishedAt: null,
  result: null,
  error: null,
  key: null,
};

test('SQLite: the jobs of an earlier version, in the order of their ids, are kept and go on', () => {
  const folder = temporary();
  const copy = temporary();
  const opened = temporary();
  try {
    const bounds = { events: 10, eventBytes: 1e6, jobs: 10, jobBytes: 1e6 };
    const event = { event: 'progress', data: '{}', at: 'now' } as const;
    const change = (jobId: string, version: number, first: number, last: number) => ({
      ...{ event: { ...event, jobId }, job: { ...job, jobId, version }, first, last },
    });
    const earlier = SqliteStore.at(folder);
    earlier.open(bounds, () => {});
    earlier.commit([change('z', 1, 0, 0), change('a', 1, 0, 0)], { jobs: [], events: 0 });
    earlier.close();
    cpSync(folder, copy, { recursive: true });
    const db = new Database(join(copy, 'log.db'));
    db.exec(`
      CREATE TABLE byId (jobId TEXT PRIMARY KEY, record TEXT, crc INTEGER) WITHOUT ROWID;
      INSERT INTO byId SELECT jobId, record, crc FROM jobs;
      DROP TABLE jobs;
      ALTER TABLE byId RENAME TO jobs;
    `);
    db.close();
    cpSync(join(copy, 'log.db'), join(opened, 'log.db'));
    const store = SqliteStore.at(opened);
    const { jobs } = store.open(bounds, () => {});
    expect(jobs.map(({ job: { jobId, version }, first }) => [jobId, version, first])).toEqual([
      ['z', 1, 1],
      ['a', 1, 2],
    ]);
    store.commit([change('z', 2, 1, 1)], { jobs: [{ jobId: 'a', first: 2 }], events: 0 });
    store.close();
    cpSync(join(opened, 'log.db'), join(copy, 'after.db'));
    const again = new Database(join(copy, 'after.db'));
    expect(again.prepare('SELECT first, jobId FROM jobs').all()).toEqual([{ first: 1, jobId: 'z' }]);
    again.close();
  } finally {
    for (const made of [folder, copy, opened]) rmSync(made, { recursive: true, force: true });
  }
});

test.each([
  ['the database is gone', ''],
  ['a text that is not UTF-8', `UPDATE events SET data = CAST(X'ff' AS TEXT)`],
  ['a checksum that is a text', `UPDATE jobs SET crc = CAST(X'ff' AS TEXT)`],
  ['a job under the id of another', `UPDATE jobs SET jobId = 'b'`],
  ['a job in the place of another', 'UPDATE jobs SET first = 7'],
  ['a name that event ids cannot have', `UPDATE meta SET value = CAST(X'ff' AS TEXT) WHERE key = 'store'`],
])('SQLite: damage that leaves a sound database is told: %s', (_, damage) => {
  const folder = temporary();
  const copy = temporary();
  try {
    const store = SqliteStore.at(folder);
    const bounds = { events: 10, eventBytes: 1e6, jobs: 10, jobBytes: 1e6 };
    store.open(bounds, () => {});
    const event = { jobId: 'a', event: 'progress', data: '{}', at: 'now' } as const;
    store.commit([{ event, job, first: 0, last: 0 }], { jobs: [], events: 0 });
    store.close();
    cpSync(folder, copy, { recursive: true });
    if (damage === '') truncateSync(join(copy, 'log.db'));
    const db = new Database(join(copy, 'log.db'));
    db.exec(damage);
    db.close();
    expect(() => SqliteStore.at(copy).open(bounds, () => {})).toThrow(/damaged \(.* (has changed|are missing)\)/);
  } finally {
    for (const made of [folder, copy]) rmSync(made, { recursive: true, force: true });
  }
});
