import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from '../jobs/job.js';
import { Delivery } from './delivery.js';
import { NotWritable, Overtaken } from './errors.js';
import { Ids, type LogEvent } from './event.js';
import type { Bounds, Committed, Contents, Refused, Store } from './store.js';
import { Topic } from './topic.js';

/** A job that the log keeps. */
export class JobRecord {
  /** The job's own events. Streams refer to these alone, so that a forgotten job need not stay until its streams end. */
  readonly events = new Topic();
  /** The position of the job's first event; 0 before it is committed. */
  first = 0;
  /** The job as the changes that are not committed yet will leave it; null without such changes. No client sees it. */
  staged: Job | null = null;

  /** @param job - the job as its newest committed event left it. */
  constructor(public job: Job) {}

  /** The job from which the next change is made. */
  get latest(): Job {
    return this.staged ?? this.job;
  }
}

/** A change that is not committed yet, and the caller that waits for the commit. */
interface Staged {
  record: JobRecord;
  event: Pick<LogEvent, 'jobId' | 'event' | 'data' | 'at'>;
  job: Job;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * One append-only log; every waiting client is a cursor on it. Appends of one turn of the event loop are committed
 * together, and no client is told of an event, or of the state that it leads to, before it is committed.
 */
export class EventLog {
  /** The events of all jobs. */
  readonly all = new Topic();
  readonly delivery = new Delivery();
  readonly ids: Ids;
  /** Called with each job that a commit has changed, whichever server has committed it. */
  onCommit: (record: JobRecord) => void = () => {};
  /** The jobs that are committed. */
  private readonly records = new Map<string, JobRecord>();
  /** New jobs that are not committed yet. */
  private readonly unborn = new Map<string, JobRecord>();
  /** The events of jobs that are forgotten, until the log drops the last of them. */
  private readonly orphans = new Map<string, Topic>();
  private staged: Staged[] = [];
  /** The commit that is under way, of a store that answers with a promise. */
  private committing: Promise<void> | undefined;
  private forgotten: { jobId: string; first: number }[] = [];
  private trimmed = 0;
  /** The question whether this log is up to date, which all readers of this turn share. */
  private asking: Promise<void> | undefined;

  private constructor(
    private readonly store: Store,
    private readonly bounds: Bounds,
  ) {
    this.ids = new Ids(store);
  }

  /** Opens the log that a store keeps. Error: `StoreError`. */
  static async open(store: Store, bounds: Bounds): Promise<EventLog> {
    const log = new EventLog(store, bounds);
    log.load(await store.open(bounds, (committed) => log.take(committed)));
    return log;
  }

  /** Finds a job, as its last committed event left it. */
  find(jobId: string): JobRecord | undefined {
    return this.records.get(jobId);
  }

  /** How many jobs there are, with those that are not committed yet. */
  get size(): number {
    return this.records.size + this.unborn.size;
  }

  /** The jobs that are committed, the oldest first. */
  jobs(): Iterable<JobRecord> {
    return this.records.values();
  }

  /**
   * Undefined when no other server can be ahead of this log. Otherwise a promise that resolves when this log has caught
   * up, so that no client reads an older state than it has seen before. Error: `NotReadable`.
   */
  fresh(): Promise<void> | undefined {
    if (!this.store.fresh) return undefined;
    // The store is asked once for all requests of this turn. It is asked after the last of them has come, so that its
    // answer includes whatever another server told their clients before.
    this.asking ??= nextTurn().then(() => {
      this.asking = undefined;
      return this.store.fresh!();
    });
    return this.asking;
  }

  /**
   * Stages an event and the job it leads to; the promise resolves when both are committed. Errors: {@link NotWritable},
   * {@link Overtaken}; the change is then undone, with those that were staged after it.
   */
  append(record: JobRecord, job: Job, event: Pick<LogEvent, 'event' | 'data' | 'at'>): Promise<void> {
    const { jobId } = job;
    record.staged = job;
    if (record.first === 0) this.unborn.set(jobId, record);
    if (this.staged.length === 0) setImmediate(() => void this.flush());
    const committed = new Promise<void>((resolve, reject) => {
      this.staged.push({ record, event: { jobId, ...event }, job, resolve, reject });
    });
    committed.catch(() => {}); // Callers may ignore the promise.
    return committed;
  }

  /** Forgets a finished job. Its events stay in the log of all until they are the oldest. */
  forget({ job: { jobId }, events, first }: JobRecord): void {
    if (events.held > 0) this.orphans.set(jobId, events);
    this.records.delete(jobId);
    this.forgotten.push({ jobId, first });
  }

  /** Commits what is staged, and then tells clients. Returns a promise where the store does. Never throws or rejects. */
  flush(): Promise<void> | undefined {
    if (this.committing || this.staged.length === 0) return this.committing;
    const staged = this.staged;
    const dropped = { jobs: this.forgotten, events: this.trimmed };
    [this.staged, this.forgotten, this.trimmed] = [[], [], 0];
    const done = (refused: Refused) => {
      if (refused) this.undo(staged, new Overtaken(), refused);
      for (const { resolve } of staged) resolve();
    };
    const failed = (error: Error) => {
      this.forgotten = [...dropped.jobs, ...this.forgotten];
      this.trimmed = Math.max(this.trimmed, dropped.events);
      this.undo(staged, error instanceof NotWritable ? error : new NotWritable(error.message));
    };
    const changes = staged.map(({ record, event, job }) => {
      return { event, job, first: record.first, last: record.events.head };
    });
    try {
      const committing = this.store.commit(changes, dropped);
      if (!(committing instanceof Promise)) done(committing);
      else
        this.committing = committing.then(done, failed).finally(() => {
          this.committing = undefined;
          if (this.staged.length > 0) void this.flush();
        });
    } catch (error) {
      failed(error as Error);
    }
    return this.committing;
  }

  /** Commits what is staged, and closes the store. */
  async close(): Promise<void> {
    while (this.staged.length > 0 || this.committing) await this.flush();
    await this.store.close();
  }

  /** Drops changes, of all jobs or of some, and what was staged on top of them meanwhile. */
  private undo(staged: Staged[], error: Error, jobs?: ReadonlySet<string>): void {
    const stays = ({ job }: Staged) => jobs !== undefined && !jobs.has(job.jobId);
    for (const one of [...staged, ...this.staged]) {
      if (stays(one)) continue;
      one.record.staged = null;
      this.unborn.delete(one.job.jobId);
      one.reject(error);
    }
    this.staged = this.staged.filter(stays);
  }

  /** Takes in what a store held when it was opened. */
  private load({ events, jobs, trimmed }: Contents): void {
    for (const { job, first, last } of jobs.sort((a, b) => a.first - b.first)) {
      const record = new JobRecord(job);
      record.first = first;
      this.records.set(job.jobId, record);
      // As if none of the job's events were held; those that are held are added below.
      Object.assign(record.events, { ended: job.finishedAt !== null, head: last, trimmed: last });
    }
    this.all.head = this.all.trimmed = trimmed;
    for (const event of events) {
      const topic = this.records.get(event.jobId)?.events;
      // The job's event before the oldest one that is held is the newest that is not.
      if (topic?.held === 0) topic.trimmed = event.prev;
      this.hold(topic, event);
    }
  }

  /** Takes in what was committed, by this server or by another one, and wakes the cursors that wait for it. */
  private take(committed: Committed[]): void {
    for (const { event, job } of committed) {
      const { jobId } = job;
      const record = this.records.get(jobId) ?? this.unborn.get(jobId) ?? new JobRecord(job);
      if (record.first === 0) {
        record.first = event.seq;
        this.unborn.delete(jobId);
        this.records.set(jobId, record);
      }
      record.job = job;
      if (record.staged === job) record.staged = null;
      record.events.ended = job.finishedAt !== null;
      this.hold(record.events, event);
      this.delivery.wake(record.events);
      this.onCommit(record);
    }
    this.delivery.wake(this.all);
    if (this.store.fresh && !this.committing) this.forgotten = []; // The server that has committed this drops them.
  }

  /** Takes an event in, and lets the oldest ones go until all bounds are kept. The newest one always stays. */
  private hold(topic: Topic | undefined, event: LogEvent): void {
    this.all.add(event);
    topic?.add(event);
    const { events, eventBytes } = this.bounds;
    while (this.all.held > 1 && (this.all.held > events || this.all.bytes > eventBytes)) {
      const { jobId, seq } = this.all.trim()!;
      this.trimmed = seq;
      const topic = this.records.get(jobId)?.events ?? this.orphans.get(jobId);
      topic?.trim();
      if (topic?.held === 0) this.orphans.delete(jobId);
    }
  }
}
