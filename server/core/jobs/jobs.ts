import { Overtaken } from '../log/errors.js';
import type { EventName } from '../log/event.js';
import { type EventLog, JobRecord } from '../log/log.js';
import type { Bounds } from '../log/store.js';
import { NoSuchJob, TooManyJobs } from './errors.js';
import { type Ending, hasEnded, type Job, jobBytes, type Spec } from './job.js';

/** The life of a job: every change of one is an event in the log. */
export class Jobs {
  /** Called when a job has ended, on whichever server. */
  onEnd: (record: JobRecord) => void = () => {};
  /** The jobs by their Idempotency-Key; also those that are not committed yet. */
  private readonly keys = new Map<string, JobRecord>();
  /** The finished jobs in the order in which they finished, each with what it takes in memory, in bytes. */
  private readonly finished = new Map<JobRecord, number>();
  private finishedBytes = 0;

  constructor(
    readonly log: EventLog,
    private readonly bounds: Pick<Bounds, 'jobs' | 'jobBytes'>,
    private readonly maxUnfinished: number,
  ) {
    const records = [...log.jobs()];
    for (const record of records) if (record.job.key) this.keys.set(record.job.key.name, record);
    const ended = records.filter(({ job }) => hasEnded(job));
    for (const record of ended.sort((a, b) => a.events.head - b.events.head)) this.keep(record);
    log.onCommit = (record) => this.committed(record);
  }

  /** How many have not ended, with those that are not committed yet. */
  get unfinished(): number {
    return this.log.size - this.finished.size;
  }

  /** The job of that id. Error: {@link NoSuchJob}. */
  find(jobId: string): JobRecord {
    const record = this.log.find(jobId);
    if (!record) throw new NoSuchJob(jobId);
    return record;
  }

  /** The job that was submitted with an Idempotency-Key; none without a key. While it is `staged`, it may yet be undone. */
  submittedWith(key = ''): JobRecord | undefined {
    const record = this.keys.get(key); // '' finds nothing: a key has at least one character
    return record?.staged || record?.first ? record : undefined; // the others were undone
  }

  /** Error: {@link TooManyJobs}, when as many jobs are unfinished as may be. */
  admit(): void {
    if (this.unfinished >= this.maxUnfinished) throw new TooManyJobs(this.maxUnfinished);
  }

  /** Makes a job and commits it; or finds the one that another server has made with the key. All but uploads start at once. */
  async create(spec: Spec, key: Job['key'], jobId: string): Promise<JobRecord> {
    const record = new JobRecord({ ...NEW, jobId, spec, key, createdAt: now() });
    if (key) this.keys.set(key.name, record);
    try {
      const queued = this.change(record, 'queued', record.job.createdAt, record.job);
      await (spec.kind === 'video' ? queued : this.start(record));
    } catch (error) {
      const other = key ? this.keys.get(key.name) : undefined;
      // Unless a retry has come meanwhile, and its job has the key.
      if (key && other === record) this.keys.delete(key.name);
      else if (error instanceof Overtaken && other) return other;
      throw error;
    }
    return record;
  }

  /** Starts the job. */
  start(record: JobRecord): Promise<void> {
    const startedAt = now(record.latest);
    return this.change(record, 'started', startedAt, { ...record.latest, state: 'running', startedAt });
  }

  /** Records the job's progress. `more` are further members of the event's data. */
  progress(record: JobRecord, progress: number, more: Record<string, unknown> = {}): Promise<void> {
    return this.change(record, 'progress', now(record.latest), { ...record.latest, progress }, more);
  }

  /** Ends the job. A job that has ended already is left as it is. */
  async end(record: JobRecord, ending: Ending): Promise<void> {
    while (hasEnded(record.latest)) {
      if (!record.staged) return;
      await this.log.flush(); // The first end may yet be undone.
    }
    const { event, ...outcome } = ending;
    const finishedAt = now(record.latest);
    const result = 'result' in ending ? JSON.stringify(ending.result) : null;
    const error = 'error' in ending ? JSON.stringify(ending.error) : null;
    const progress = event === 'succeeded' ? 1 : record.latest.progress;
    const ended = { ...record.latest, progress, state: event, finishedAt, result, error };
    await this.change(record, event, finishedAt, ended, outcome);
  }

  /** Takes note of a change that is committed, by this server or by another one. */
  private committed(record: JobRecord): void {
    const { key } = record.job;
    if (key && record.first === record.events.head) this.keys.set(key.name, record);
    if (!hasEnded(record.job)) return;
    this.keep(record);
    this.onEnd(record);
  }

  private change(record: JobRecord, event: EventName, at: string, changed: Job, more = {}): Promise<void> {
    const job: Job = { ...changed, version: changed.version + 1 };
    const { jobId, progress, version } = job;
    const data = JSON.stringify({ ...more, jobId, progress, version });
    return this.log.append(record, job, { event, data, at });
  }

  /** Keeps a finished job, and forgets the oldest ones when there are too many. The newest one always stays. */
  private keep(record: JobRecord): void {
    const bytes = jobBytes(record.job);
    this.finished.set(record, bytes);
    this.finishedBytes += bytes;
    for (const [oldest, size] of this.finished) {
      const { jobs, jobBytes } = this.bounds;
      if (oldest === record || (this.finished.size <= jobs && this.finishedBytes <= jobBytes)) return;
      this.finished.delete(oldest);
      this.finishedBytes -= size;
      const { key } = oldest.job;
      if (key && this.keys.get(key.name) === oldest) this.keys.delete(key.name);
      this.log.forget(oldest);
    }
  }
}

/** A job before its first event: V8 makes a copy with changes in a hundredth of the time that it takes to join two parts. */
const NEW: Job = {
  ...{ jobId: '', spec: { kind: 'manual' }, key: null, state: 'queued', progress: 0, version: 0 },
  ...{ createdAt: '', startedAt: null, finishedAt: null, result: null, error: null },
};

/**
 * The time now (RFC 3339), but never before a time that the job has already: the clock may have been set back.
 * Durations are measured with `performance.now()`, which cannot be set.
 */
function now(job?: Job): string {
  const told = job?.startedAt ?? job?.createdAt ?? '';
  const ms = Date.now();
  if (ms !== newest.ms) newest = { ms, time: new Date(ms).toISOString() }; // shared by all changes of a millisecond
  return newest.time > told ? newest.time : told;
}
let newest = { ms: 0, time: '' };
