import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import type { Job } from '../jobs/job.js';
import type { LogEvent } from './event.js';

/** The data folder cannot be used. The message says why and what to do. */
export class StoreError extends Error {}

/** What one commit writes. */
export interface Batch {
  events: readonly LogEvent[];
  jobs: Iterable<Job>;
  /** Jobs that are no longer kept. */
  forgotten: readonly string[];
  /** The newest event that is no longer held. */
  trimmed: number;
}

/**
 * The log on disk: SQLite, in one file. A commit survives the process being killed at any moment; with
 * `synchronous=NORMAL` a power cut may cost the last ones, never the database.
 */
export class Store {
  /** Names this store: ids given by another one are not taken for its own. */
  readonly name: string;
  /** Writes all of a batch, or throws and has written none of it. */
  save: (batch: Batch) => void;

  private constructor(private readonly db: Database.Database) {
    db.exec(`
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, jobId TEXT, event TEXT, data TEXT, at TEXT);
      CREATE TABLE IF NOT EXISTS jobs (jobId TEXT PRIMARY KEY, record TEXT) WITHOUT ROWID;
    `);
    const fresh = Array.from({ length: 8 }, () => Math.floor(Math.random() * 36).toString(36)).join('');
    db.prepare(`INSERT OR IGNORE INTO meta VALUES ('store', ?), ('trimmed', 0)`).run(fresh);
    this.name = this.meta('store') as string;
    const addEvent = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)');
    const putJob = db.prepare('INSERT OR REPLACE INTO jobs VALUES (?, ?)');
    const dropJob = db.prepare('DELETE FROM jobs WHERE jobId = ?');
    const dropEvents = db.prepare('DELETE FROM events WHERE seq <= ?');
    const setTrimmed = db.prepare(`UPDATE meta SET value = ? WHERE key = 'trimmed'`);
    this.save = db.transaction(({ events, jobs, forgotten, trimmed }: Batch) => {
      for (const { seq, jobId, event, data, at } of events) addEvent.run(seq, jobId, event, data, at);
      for (const job of jobs) putJob.run(job.jobId, JSON.stringify(job));
      for (const jobId of forgotten) dropJob.run(jobId);
      if (trimmed > 0) {
        dropEvents.run(trimmed);
        setTrimmed.run(trimmed);
      }
    });
  }

  /** Opens the store in a folder, which it makes. Errors: {@link StoreError}. */
  static open(folder: string): Store {
    const file = join(folder, 'log.db');
    const owner = join(folder, 'owner');
    try {
      mkdirSync(join(folder, 'uploads'), { recursive: true });
      const db = new Database(file);
      // Held by the process, and so let go however it ends.
      db.pragma('locking_mode = EXCLUSIVE');
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = NORMAL');
      const [health] = db.pragma('quick_check(1)') as [{ quick_check: string }];
      if (health.quick_check !== 'ok') throw Object.assign(new Error(health.quick_check), { code: 'SQLITE_CORRUPT' });
      // What a kill left beside the database goes into it, where damage would be seen.
      db.pragma('wal_checkpoint(TRUNCATE)');
      const store = new Store(db);
      writeFileSync(owner, `${process.pid}\n`);
      return store;
    } catch (error) {
      throw new StoreError(sentence(error as NodeJS.ErrnoException, folder, file, owner));
    }
  }

  /** All that was held when the store was last written. */
  load(): { events: LogEvent[]; jobs: Job[]; trimmed: number } {
    const events = this.db.prepare('SELECT * FROM events ORDER BY seq').all() as LogEvent[];
    const records = this.db.prepare('SELECT record FROM jobs').all() as { record: string }[];
    const jobs = records.map(({ record }) => JSON.parse(record) as Job);
    return { events, jobs, trimmed: this.meta('trimmed') as number };
  }

  close(): void {
    this.db.pragma('wal_checkpoint(TRUNCATE)');
    this.db.close();
  }

  private meta(key: string): unknown {
    return (this.db.prepare('SELECT value FROM meta WHERE key = ?').get(key) as { value: unknown }).value;
  }
}

function sentence(error: NodeJS.ErrnoException, folder: string, file: string, owner: string): string {
  switch (error.code) {
    case 'SQLITE_BUSY':
      return `The data folder ${folder} is in use by another server (process ${read(owner)}). Stop that one, or choose another folder with --data.`;
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return `The database ${file} is damaged (${error.message}). Move it away to start afresh, or choose another folder with --data.`;
    default:
      return `The data folder ${folder} cannot be written (${error.message}). Make it writable, free some space, or choose another folder with --data.`;
  }
}

function read(owner: string): string {
  try {
    return readFileSync(owner, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
