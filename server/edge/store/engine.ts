import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFile, makeFolder } from '../../../scripts/shared/files.mjs';
import { hasEnded } from '../../core/jobs/job.js';
import type { EventLog, JobRecord } from '../../core/log/log.js';
import { type Store, StoreError } from '../../core/log/store.js';
import type { Settings } from '../../settings.js';
import { RedisStore } from '../redis/redis-store.js';
import { SqliteStore } from './sqlite-store.js';

/** What the log stands on, and what else a server has to know of it. */
export interface Engine {
  /** As `GET /healthz` tells it. */
  readonly kind: 'sqlite' | 'redis';
  readonly store: Store;
  /** Whether other servers may use the engine and the folder of the uploads, too. */
  readonly shared: boolean;
  /** Sets the jobs going that this server is to work on: those there are now, and those that it takes over later. */
  work(log: EventLog, run: (record: JobRecord) => void): void;
  /** Undefined; or, after a change that the engine did not answer, resolves when it is known whether it was made. */
  settled(): Promise<void> | undefined;
  /** Calls back when the log that was opened is no longer the engine's: it is to be opened anew. */
  onLost(reopen: () => void): void;
}

/** The engine that the settings name. Error: `StoreError`. */
export function engineOf(settings: Settings): Engine {
  const { engine, data, serverName: name, leaseMs } = settings;
  return engine === ''
    ? sqlite(SqliteStore.at(data))
    : redis(new RedisStore(engine, { name, leaseMs, uploads: markOf(data) }));
}

/** SQLite, in the data folder, for one server alone: it works on all jobs that have not ended. */
const sqlite = (store: Store): Engine => ({
  ...{ kind: 'sqlite', store, shared: false },
  work(log, run) {
    for (const record of log.jobs()) if (!hasEnded(record.job)) run(record);
  },
  settled: () => undefined,
  onLost() {},
});

const redis = (store: RedisStore): Engine => ({
  ...{ kind: 'redis', store, shared: true },
  work(log, run) {
    store.onWork = (jobId) => {
      const record = log.find(jobId);
      if (record && !hasEnded(record.job)) run(record);
    };
  },
  settled: () => store.settled(),
  onLost(reopen) {
    store.onLost = reopen;
  },
});

/** Names the folder of the uploads, by a file in it: so that servers notice when they do not share it. Error: `StoreError`. */
function markOf(data: string): string {
  const folder = join(data, 'uploads');
  const file = join(folder, 'shared');
  try {
    makeFolder(folder);
    // The first server makes the file; all others find it.
    writeFileSync(file, `${randomUUID()}\n`, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new StoreError(
        `The folder of the uploads cannot be used (${(error as Error).message}). Make it writable, or choose another one with --data.`,
      );
  }
  for (let tries = 0; tries < 100; tries++) {
    const mark = isFile(file) ? readFileSync(file, 'utf8').trim() : '';
    if (mark !== '') return mark;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); // its maker may be about to write it
  }
  throw new StoreError(`Expected a name in the file ${file}, and it has none. Remove it, and start the server again.`);
}
