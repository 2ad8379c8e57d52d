import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import Database from 'libsql';
import { isFile, makeFolder } from '../../../scripts/shared/files.mjs';
import { hasEnded, jobBytes } from '../../core/jobs/job.js';
import { type LogEvent, NOWHERE } from '../../core/log/event.js';
import {
  type Bounds,
  type Change,
  type Committed,
  type Contents,
  type Dropped,
  type Store,
  type StoredJob,
  StoreError,
  type Tail,
} from '../../core/log/store.js';
import { eventBytes } from '../../core/log/topic.js';
import { Evidence } from './evidence.js';

/** How long to wait for another server that starts on the same folder at the same moment, in milliseconds. */
const LOCK_MS = 2_000;
/** A database that holds more unused pages than this, in bytes, and more unused pages than used ones, is made smaller. */
const WASTE_BYTES = 64 * 1024 ** 2;

/**
 * The log on disk: SQLite, in one file. A commit survives the process being killed at any moment; with
 * `synchronous=NORMAL` a power cut may cost the last commits, never the database. Every row has a checksum, and
 * {@link Evidence} names the last commit, so that damage is told and no wrong answer is served.
 */
export class SqliteStore implements Store {
  readonly name: string;
  private newest = 0;
  private tail: Tail = () => {};
  /** One transaction: writes the changes, and returns them with their positions. */
  private readonly write: (changes: readonly Change[], dropped: Dropped) => Committed[];

  private constructor(
    private readonly db: Database.Database,
    private readonly file: string,
    private readonly evidence: Evidence,
  ) {
    this.name = this.meta('store');
    if (!NAME.test(this.name)) throw damaged(file, 'its name has changed');
    const addEvents = writer(db, 'INSERT INTO events (seq, jobId, event, data, at, prev, crc) VALUES ?', 7);
    const putJobs = writer(db, 'INSERT OR REPLACE INTO jobs (first, jobId, record, crc) VALUES ?', 4);
    const dropJobs = writer(db, 'DELETE FROM jobs WHERE (first) IN (VALUES ?)', 1);
    const dropEvents = db.prepare('DELETE FROM events WHERE seq <= ?');
    const setTrimmed = db.prepare(`UPDATE meta SET value = ? WHERE key = 'trimmed'`);
    this.write = db.transaction((changes: readonly Change[], dropped: Dropped) => {
      let seq = this.newest;
      const committed: Committed[] = [];
      const events: Value[] = [];
      // A job may change more than once in a commit: only the last state is written.
      const jobs = new Map<string, StoredJob>();
      for (const { event, job, first, last } of changes) {
        seq += 1;
        const { jobId, event: name, data, at } = event;
        const earlier = jobs.get(jobId);
        const prev = earlier?.last ?? last;
        const numbered = { seq, prev, jobId, event: name, data, at };
        events.push(seq, jobId, name, data, at, prev, eventCrc(numbered));
        jobs.set(jobId, { job, first: earlier?.first ?? (first || seq), last: seq });
        committed.push({ event: numbered, job });
      }
      addEvents(events);
      const rows: Value[] = [];
      for (const [jobId, { job, first, last }] of jobs) {
        const record = JSON.stringify({ ...job, firstSeq: first, lastSeq: last });
        rows.push(first, jobId, record, crc32(record));
      }
      putJobs(rows);
      dropJobs(dropped.jobs.map(({ first }) => first));
      if (dropped.events > 0) {
        dropEvents.run(dropped.events);
        setTrimmed.run(dropped.events);
      }
      return committed;
    });
  }

  /** The store in a folder, which it makes, for this process alone. Error: {@link StoreError}. */
  static at(folder: string): SqliteStore {
    const file = join(folder, 'log.db');
    const owner = join(folder, 'owner');
    const head = join(folder, 'log.head');
    try {
      // Before any is opened: to open a pipe that has the name of one would block for ever.
      for (const path of [owner, ...['', '-wal', '-shm', '-journal'].map((end) => file + end), head])
        if (existsSync(path) && !isFile(path)) throw foreign(path, 'is no file');
      if (existsSync(file)) refuseForeign(file);
      // Empty: it was being written when the process was killed or the disk was full.
      if (existsSync(owner) && !/^(\d+\n?)?$/.test(readFileSync(owner, 'utf8'))) throw foreign(owner);
      makeFolder(folder);
      const db = lock(file, owner);
      const evidence = new Evidence(head);
      prepare(db, evidence, file);
      writeFileSync(owner, `${process.pid}\n`);
      return new SqliteStore(db, file, evidence);
    } catch (error) {
      throw plain(error as Error, folder, file, owner);
    }
  }

  open(bounds: Bounds, tail: Tail): Contents {
    try {
      const { events, trimmed } = this.readEvents(bounds);
      const { jobs, forgotten } = this.readJobs(bounds);
      this.newest = events.at(-1)?.seq ?? trimmed;
      this.write([], { jobs: forgotten, events: trimmed });
      this.shrink();
      this.tail = tail;
      return { events, jobs, trimmed };
    } catch (error) {
      const { code = '', message } = error as Error & { code?: string };
      // A flipped bit may also leave text that is no JSON or no UTF-8.
      throw error instanceof StoreError || code.startsWith('SQLITE') ? error : damaged(this.file, message);
    }
  }

  commit(changes: readonly Change[], dropped: Dropped): undefined {
    const committed = this.write(changes, dropped);
    this.newest += committed.length;
    this.evidence.write(this.newest);
    this.tail(committed);
  }

  close(): void {
    try {
      this.db.pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      const reason = (error as Error).message;
      console.error(`The journal stays beside ${this.file} (${reason}). Nothing is lost: the next server reads it.`);
    }
    this.db.close();
    this.evidence.close();
  }

  /** Reads the newest events that the bounds allow, and the newest one in any case, a row at a time: there may be more than fits into memory. */
  private readEvents(bounds: Bounds): { events: LogEvent[]; trimmed: number } {
    let trimmed = Number(this.meta('trimmed'));
    const events: LogEvent[] = [];
    let bytes = 0;
    let expected = 0;
    for (const row of this.db.prepare(`${SELECT_EVENTS} ORDER BY seq DESC`).iterate() as Iterable<Row>) {
      const event = eventOf(row);
      const { seq } = event;
      if (expected > 0 && seq !== expected) throw damaged(this.file, `event ${expected} is missing`);
      expected = seq - 1;
      if (row.crc !== null && row.crc !== eventCrc(event)) throw damaged(this.file, `event ${seq} has changed`);
      bytes += eventBytes(event);
      if (events.length > 0 && (events.length === bounds.events || bytes > bounds.eventBytes)) {
        expected = trimmed = seq;
        break;
      }
      events.push(event);
    }
    if (events.length > 0 && expected !== trimmed) throw damaged(this.file, `event ${expected} is missing`);
    events.reverse();
    const last = new Map<string, LogEvent>();
    for (const event of events) {
      const before = last.get(event.jobId);
      // Each row has a copy of its job's id: one copy for all of the job's events saves memory.
      if (before) event.jobId = before.jobId;
      if (event.prev === NOWHERE) event.prev = event.event === 'queued' ? 0 : (before?.seq ?? trimmed);
      last.set(event.jobId, event);
    }
    return { events, trimmed };
  }

  /** Reads the unfinished jobs, and the newest of the finished ones that the bounds allow: at least one. */
  private readJobs(bounds: Bounds): { jobs: StoredJob[]; forgotten: Dropped['jobs'] } {
    const unfinished: StoredJob[] = [];
    let finished: StoredJob[] = [];
    let bytes = 0;
    const forgotten: { jobId: string; first: number }[] = [];
    const cut = () => {
      finished.sort((a, b) => b.last - a.last);
      bytes = 0;
      const kept = finished.findIndex(({ job }, n) => {
        bytes += jobBytes(job);
        return n > 0 && (n === bounds.jobs || bytes > bounds.jobBytes);
      });
      if (kept < 0) return;
      bytes -= jobBytes(finished[kept]!.job);
      for (const { job, first } of finished.slice(kept)) forgotten.push({ jobId: job.jobId, first });
      finished = finished.slice(0, kept);
    };
    for (const row of this.db.prepare(SELECT_JOBS).iterate() as Iterable<Row>) {
      const [jobId, record] = [textOf(row.jobId), textOf(row.record)];
      if (row.crc !== null && row.crc !== crc32(record)) throw damaged(this.file, `job ${jobId} has changed`);
      const stored = jobOf(record, row.crc !== null);
      // Kept under another id, it would come back as it is now when it has long moved on.
      if (stored.job.jobId !== jobId || stored.first !== row.first)
        throw damaged(this.file, `job ${stored.job.jobId} has changed`);
      if (!hasEnded(stored.job)) unfinished.push(stored);
      else {
        finished.push(stored);
        bytes += jobBytes(stored.job);
      }
      if (finished.length > 2 * bounds.jobs || bytes > 2 * bounds.jobBytes) cut();
    }
    cut();
    return { jobs: [...unfinished, ...finished], forgotten };
  }

  /** Makes the file smaller after a larger log. */
  private shrink(): void {
    const number = (pragma: string) => Object.values((this.db.pragma(pragma) as Record<string, number>[])[0]!)[0]!;
    const unused = number('freelist_count') * number('page_size');
    if (unused < WASTE_BYTES || 2 * number('freelist_count') < number('page_count')) return;
    try {
      this.db.pragma('temp_store = FILE');
      this.db.exec('VACUUM');
      this.db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // Without room for a copy the file stays as large as it is.
    }
  }

  private meta(key: string): string {
    const row = this.db.prepare('SELECT CAST(value AS BLOB) AS value FROM meta WHERE key = ?').get(key) as Row;
    return textOf(row?.value);
  }
}

/** The name of a store. */
const NAME = /^[a-z0-9]{8}$/;

/**
 * Numbers as numbers and texts as bytes, whatever flipped bits have made of them: libsql ends the process when it reads a
 * text that is not UTF-8.
 */
type Row = Record<string, number | ArrayBuffer | Buffer | null>;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const textOf = (bytes: Row[string] | undefined): string => decoder.decode((bytes ?? new ArrayBuffer(0)) as Buffer);
const columns = (texts: string[], numbers: string[]) =>
  [
    ...texts.map((column) => `CAST(${column} AS BLOB) AS ${column}`),
    ...numbers.map((column) => `CAST(${column} AS INTEGER) AS ${column}`),
  ].join(', ');
const SELECT_EVENTS = `SELECT seq, ${columns(['jobId', 'event', 'data', 'at'], ['prev', 'crc'])} FROM events`;
const SELECT_JOBS = `SELECT first, ${columns(['jobId', 'record'], ['crc'])} FROM jobs`;

/** The event of a row. `prev` and `crc` are null in rows that an earlier version of this server wrote. */
function eventOf({ seq, prev, jobId, event, data, at }: Row): LogEvent {
  return {
    ...{ seq: seq as number, prev: (prev ?? NOWHERE) as number, jobId: textOf(jobId) },
    ...{ event: textOf(event) as LogEvent['event'], data: textOf(data), at: textOf(at) },
  };
}

/** What a column takes. */
type Value = string | number;

/** How many rows a statement writes at once: one call of libsql costs as much as it takes to write some rows. */
const ROWS_AT_ONCE = 16;

/** Makes the function that runs a statement for rows, whose values it takes one after the other. */
function writer(db: Database.Database, sql: string, columns: number): (values: Value[]) => void {
  const row = `(${Array(columns).fill('?').join(', ')})`;
  const one = db.prepare(sql.replace('?', row));
  const many = db.prepare(sql.replace('?', Array(ROWS_AT_ONCE).fill(row).join(', ')));
  return (values) => {
    let at = 0;
    for (const size = ROWS_AT_ONCE * columns; at + size <= values.length; at += size)
      many.run(values.slice(at, at + size));
    for (; at < values.length; at += columns) one.run(values.slice(at, at + columns));
  };
}

/** The tables, each with the columns that a version of this server has given it first; later ones have added others. */
const TABLES: Record<string, string[]> = {
  meta: ['key value'],
  events: ['seq jobId event data at'],
  jobs: ['jobId record', 'first jobId record'],
};

const eventCrc = ({ seq, prev, jobId, event, data, at }: LogEvent): number =>
  crc32(`${seq} ${prev} ${jobId} ${event} ${at} ${data}`);

function jobOf(record: string, hasChecksum: boolean): StoredJob {
  const { firstSeq: first, lastSeq: last, ...job } = JSON.parse(record);
  // Rows without a checksum hold the result and the error as values, not as text.
  if (hasChecksum) return { job, first, last };
  const text = (value: unknown) => (value === null ? null : JSON.stringify(value));
  const result = job.state === 'succeeded' ? JSON.stringify(job.result) : null;
  return { job: { ...job, result, error: text(job.error) }, first, last };
}

/** Opens the database for this process alone. The system releases the lock however the process ends. */
function lock(file: string, owner: string): Database.Database {
  for (const until = performance.now() + LOCK_MS; ; ) {
    const db = new Database(file);
    try {
      db.pragma('locking_mode = EXCLUSIVE');
      db.exec('BEGIN EXCLUSIVE; COMMIT');
      return db;
    } catch (error) {
      db.close();
      // Two servers that start at the same moment may each keep the other from the lock: both try again.
      if (code(error) !== 'SQLITE_BUSY' || performance.now() > until || isAlive(readOwner(owner))) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 + 80 * Math.random());
    }
  }
}

/** Looks for damage, writes what a kill left in the journal into the database, and brings the tables to this version. */
function prepare(db: Database.Database, evidence: Evidence, file: string): void {
  if (isForeign(db)) throw foreign(file);
  const tables = tablesOf(db);
  const heads = ['meta', 'events'].every((name) => tables.includes(name))
    ? `SELECT CAST(value AS INTEGER) AS head FROM meta WHERE key = 'trimmed' UNION ALL SELECT max(seq) FROM events`
    : 'SELECT 0 AS head';
  const head = Math.max(...(db.prepare(heads).all() as { head: number | null }[]).map(({ head }) => head ?? 0));
  const lost = `events ${head + 1} to ${evidence.seq} were told to clients and are missing`;
  // The damaged journal is left as it is, so that it can be repaired.
  if (evidence.seq > head && !evidence.restarted) throw damaged(file, lost);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  const [health] = db.pragma('quick_check(1)') as [{ quick_check: string }];
  if (health.quick_check !== 'ok') throw damaged(file, health.quick_check);
  // What a kill left in the journal goes into the database.
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.exec(`
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, jobId TEXT, event TEXT, data TEXT, at TEXT);
    CREATE TABLE IF NOT EXISTS jobs (${JOBS});
  `);
  const has = (table: string, column: string) => columnsOf(db, table).includes(column);
  if (!has('events', 'crc')) db.exec('ALTER TABLE events ADD prev INTEGER; ALTER TABLE events ADD crc INTEGER');
  if (!has('jobs', 'crc')) db.exec('ALTER TABLE jobs ADD crc INTEGER');
  if (!has('jobs', 'first')) orderJobs(db);
  const name = Array.from({ length: 8 }, () => Math.floor(Math.random() * 36).toString(36)).join('');
  db.prepare(`INSERT OR IGNORE INTO meta VALUES ('store', ?), ('trimmed', 0)`).run(name);
  if (evidence.seq <= head) return;
  // The lost positions will be given again: ids that name them must not be taken for the new events' ids.
  db.prepare(`UPDATE meta SET value = ? WHERE key = 'store'`).run(name);
  console.error(`The machine stopped before all was on its disk: ${lost} from ${file}. Clients are told of a gap.`);
}

/**
 * The jobs' columns. Rows are in the order of `first`, the position of a job's first event, so that jobs that were submitted
 * together share a page of the file. In the order of their ids, which are random, each would change a page of its own, and
 * the whole page is written to the journal: 50 jobs in a commit took 30 µs of CPU each, and in this order they take 14 µs.
 */
const JOBS = 'first INTEGER PRIMARY KEY, jobId TEXT, record TEXT, crc INTEGER';

/** Orders the jobs of an earlier version, whose table was in the order of their ids. A damaged row is told when it is read. */
function orderJobs(db: Database.Database): void {
  db.exec(`
    BEGIN;
    CREATE TABLE ordered (${JOBS});
    INSERT INTO ordered
      SELECT CASE WHEN json_valid(record) THEN json_extract(record, '$.firstSeq') END, jobId, record, crc FROM jobs;
    DROP TABLE jobs;
    ALTER TABLE ordered RENAME TO jobs;
    COMMIT;
  `);
}

const tablesOf = (db: Database.Database): string[] =>
  namesIn(db, `SELECT CAST(name AS BLOB) AS name FROM sqlite_schema WHERE type = 'table'`);
const columnsOf = (db: Database.Database, table: string): string[] =>
  namesIn(db, 'SELECT CAST(name AS BLOB) AS name FROM pragma_table_info(?)', table);
const namesIn = (db: Database.Database, query: string, ...of: string[]): string[] =>
  (db.prepare(query).all(...of) as Row[]).map(({ name }) => textOf(name));

/** Whether a database has tables of another program. */
function isForeign(db: Database.Database): boolean {
  return tablesOf(db).some((name) => {
    const known = Object.hasOwn(TABLES, name) ? TABLES[name]! : [];
    const columns = `${columnsOf(db, name).join(' ')} `;
    return !known.some((some) => columns.startsWith(`${some} `));
  });
}

/** Refuses the database of another program before anything is written. */
function refuseForeign(file: string): void {
  let isOther = false;
  try {
    // Neither locked nor repaired nor changed in any other way (sqlite.org/uri.html, "immutable").
    const db = new Database(`${pathToFileURL(file).href}?mode=ro&immutable=1`);
    isOther = isForeign(db);
    db.close();
  } catch {
    // It is damaged, or a server writes to it just now: opening it for writing will tell.
  }
  if (isOther) throw foreign(file);
}

const foreign = (file: string, why = 'belongs to another program') =>
  new StoreError(`${file} ${why}, and was left as it is. Choose another folder with --data.`);

const damaged = (file: string, what: string) =>
  new StoreError(
    `The database ${file} is damaged (${what}). Move its folder away to start afresh, or choose another one with --data.`,
  );

const code = (error: unknown): string => (error as { code?: string }).code ?? '';

/** An error as a sentence that says what to do. */
function plain(error: Error, folder: string, file: string, owner: string): Error {
  if (error instanceof StoreError) return error;
  const remedy = 'or choose another folder with --data.';
  if (code(error).startsWith('SQLITE_BUSY'))
    return new StoreError(
      `The data folder ${folder} is in use by another server (process ${readOwner(owner)}). Stop that one, ${remedy}`,
    );
  if (/^SQLITE_(NOTADB|CORRUPT|CONSTRAINT)/.test(code(error))) return damaged(file, error.message);
  return new StoreError(
    `The data folder ${folder} cannot be written (${error.message}). Make it writable, free some space, ${remedy}`,
  );
}

function readOwner(owner: string): string {
  try {
    return readFileSync(owner, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

function isAlive(pid: string): boolean {
  try {
    return process.kill(Number(pid), 0);
  } catch (error) {
    return code(error) === 'EPERM';
  }
}
