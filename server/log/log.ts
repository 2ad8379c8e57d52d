import type { Job } from '../jobs/job.js';
import { Delivery } from './cursor.js';
import { Ids, type LogEvent } from './event.js';
import { NotWritable } from './not-writable.js';
import type { Bounds, Store } from './store.js';
import { Topic } from './topic.js';

/** A job that the log keeps. */
export class JobRecord {
  /** The job's own events. A stream holds only these: a job that is forgotten goes, however long its readers stay. */
  readonly events = new Topic();
  /** Whether a change of the job is not committed yet. */
  staged = false;

  /** @param job - the job as its newest event left it. */
  constructor(public job: Job) {}
}

/** One change that is not committed yet, the job as it was before, and the caller that waits for the commit. */
interface Change {
  record: JobRecord;
  event: LogEvent;
  before: Job | null;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * One append-only log; every waiting client is a cursor on it. Appends of one turn of the event loop are committed
 * together, and no client is told of an event, or of the state it led to, before it is committed.
 */
export class EventLog {
  /** The events of all jobs. */
  readonly all = new Topic();
  readonly delivery = new Delivery();
  readonly ids: Ids;
  private readonly records = new Map<string, JobRecord>();
  /** The events of jobs that are forgotten, until the log lets go the last of them. */
  private readonly orphans = new Map<string, Topic>();
  private staged: Change[] = [];
  private forgotten: string[] = [];
  private trimmed = 0;
  private next = 1;

  constructor(
    private readonly store: Store,
    private readonly bounds: Bounds,
  ) {
    this.ids = new Ids(store.name);
    const { events, jobs, trimmed } = store.load(bounds);
    for (const job of jobs.sort((a, b) => a.firstSeq - b.firstSeq)) {
      const record = new JobRecord(job);
      this.records.set(job.jobId, record);
      // Until an event of the job is found: none is held.
      Object.assign(record.events, { ended: job.finishedAt !== null, head: job.lastSeq, trimmed: job.lastSeq });
    }
    this.all.head = this.all.trimmed = trimmed;
    for (const event of events) {
      const topic = this.records.get(event.jobId)?.events;
      // The job's event before the oldest one that is held is the newest that is not.
      if (topic?.held === 0) topic.trimmed = event.prev;
      this.hold(topic, event);
    }
    this.next = this.all.head + 1;
  }

  /** Finds a job, as its last committed event left it. */
  find(jobId: string): JobRecord | undefined {
    // Only for a change of this job: a commit for each look at any job would undo the batching of a busy turn.
    if (this.records.get(jobId)?.staged) this.flush();
    return this.records.get(jobId);
  }

  /** All jobs, the oldest first. */
  jobs(): Iterable<JobRecord> {
    this.flush();
    return this.records.values();
  }

  /**
   * Stages an event and the job it leads to; the promise resolves when both are committed. A caller that does not
   * await it sees the new job, and no other caller does. Error: {@link NotWritable}, and the change is undone.
   */
  append(record: JobRecord, job: Job, event: Pick<LogEvent, 'event' | 'data' | 'at'>): Promise<void> {
    const before = this.records.has(job.jobId) ? record.job : null;
    const seq = this.next++;
    record.job = { ...job, firstSeq: job.firstSeq || seq, lastSeq: seq };
    record.staged = true;
    this.records.set(job.jobId, record);
    if (this.staged.length === 0) setImmediate(() => this.flush());
    const committed = new Promise<void>((resolve, reject) => {
      const { jobId, lastSeq: prev } = job;
      this.staged.push({ record, event: { seq, prev, jobId, ...event }, before, resolve, reject });
    });
    committed.catch(() => {}); // Callers may ignore the promise.
    return committed;
  }

  /** Forgets a finished job. Its events stay in the log of all until they are the oldest. */
  forget(jobId: string): void {
    const topic = this.records.get(jobId)?.events;
    if (topic && topic.held > 0) this.orphans.set(jobId, topic);
    this.records.delete(jobId);
    this.forgotten.push(jobId);
  }

  /** Commits what is staged, and only then tells it. When it cannot be written, all of it is undone. */
  flush(): void {
    const { staged, forgotten, trimmed } = this;
    if (staged.length === 0) return;
    this.staged = [];
    for (const { record } of staged) record.staged = false;
    const jobs = new Set(staged.map(({ record }) => record.job));
    try {
      this.store.save({ events: staged.map(({ event }) => event), jobs, forgotten, trimmed });
    } catch (error) {
      this.undo(staged, error as Error);
      return;
    }
    this.forgotten = [];
    this.trimmed = 0;
    for (const { record, event, resolve } of staged) {
      record.events.ended = record.job.finishedAt !== null;
      this.hold(record.events, event);
      this.delivery.wake(record.events);
      resolve();
    }
    this.delivery.wake(this.all);
  }

  /** The newest change first, so that each job ends up as it was before its oldest one. */
  private undo(changes: Change[], { message }: Error): void {
    for (const { record, before, reject } of changes.reverse()) {
      if (before) record.job = before;
      else this.records.delete(record.job.jobId);
      reject(new NotWritable(message));
    }
    this.next = this.all.head + 1;
  }

  /** Takes an event in, and lets the oldest ones go until all bounds are kept. */
  private hold(topic: Topic | undefined, event: LogEvent): void {
    this.all.add(event);
    topic?.add(event);
    while (this.all.held > this.bounds.events || this.all.bytes > this.bounds.eventBytes) {
      const { jobId, seq } = this.all.trim()!;
      this.trimmed = seq;
      this.records.get(jobId)?.events.trim();
      const orphan = this.orphans.get(jobId);
      orphan?.trim();
      if (orphan?.held === 0) this.orphans.delete(jobId);
    }
  }
}
