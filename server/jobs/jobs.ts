import type { EventName } from '../log/event.js';
import { type EventLog, JobRecord } from '../log/log.js';
import { NoSuchJob, TooManyJobs } from './errors.js';
import { type Ending, hasEnded, type Job, jobBytes, type Spec } from './job.js';

/** How many jobs there may be. */
export interface JobBounds {
  maxUnfinished: number;
  /** Finished jobs that are kept: how many, and what they take in memory, in bytes. The oldest go. */
  maxFinished: number;
  maxFinishedBytes: number;
}

/** The life of a job: every change of one is an event in the log. */
export class Jobs {
  /** How many have not ended. */
  unfinished = 0;
  /** Called when a job has ended. */
  onEnd: (record: JobRecord) => void = () => {};
  private readonly keys = new Map<string, string>();
  /** The finished ones, the first to finish first, each with what it takes in memory. */
  private readonly finished = new Map<string, number>();
  private finishedBytes = 0;

  constructor(
    readonly log: EventLog,
    private readonly bounds: JobBounds,
  ) {
    const jobs = [...log.jobs()].map(({ job }) => job);
    for (const { jobId, key } of jobs) if (key) this.keys.set(key.name, jobId);
    this.unfinished = jobs.filter((job) => !hasEnded(job)).length;
    const ended = jobs.filter(hasEnded).sort((a, b) => a.lastSeq - b.lastSeq);
    for (const job of ended) this.keep(job);
  }

  /** The job of that id. Error: {@link NoSuchJob}. */
  find(jobId: string): JobRecord {
    const record = this.log.find(jobId);
    if (!record) throw new NoSuchJob(jobId);
    return record;
  }

  /** The job that was submitted with an Idempotency-Key. */
  submittedWith(key: string): JobRecord | undefined {
    const jobId = this.keys.get(key);
    return jobId === undefined ? undefined : this.log.find(jobId);
  }

  /** Error: {@link TooManyJobs}, when as many jobs are unfinished as may be. */
  admit(): void {
    if (this.unfinished >= this.bounds.maxUnfinished) throw new TooManyJobs(this.bounds.maxUnfinished);
  }

  /** Makes a job. Uploads take turns and are queued; the others start at once. Resolves when the job is committed. */
  async create(spec: Spec, key: Job['key'], jobId: string): Promise<JobRecord> {
    const job: Job = {
      ...{ jobId, spec, key, state: 'queued', progress: 0, version: 0, firstSeq: 0, lastSeq: 0 },
      ...{ createdAt: now(), startedAt: null, finishedAt: null, result: null, error: null },
    };
    const record = new JobRecord(job);
    this.unfinished += 1;
    if (key) this.keys.set(key.name, jobId);
    try {
      const queued = this.change(record, 'queued', job.createdAt, {});
      await (spec.kind === 'video' ? queued : this.start(record));
    } catch (error) {
      this.unfinished -= 1;
      // Unless a retry has come meanwhile, and its job has the key.
      if (key && this.keys.get(key.name) === jobId) this.keys.delete(key.name);
      throw error;
    }
    return record;
  }

  /** The job begins to run. */
  start(record: JobRecord): Promise<void> {
    const startedAt = now(record.job);
    return this.change(record, 'started', startedAt, { state: 'running', startedAt });
  }

  /** The job has come further. `more` is passed on in the event's data. */
  progress(record: JobRecord, progress: number, more: Record<string, unknown> = {}): Promise<void> {
    return this.change(record, 'progress', now(record.job), { progress }, more);
  }

  /** The job ends, once: a second end changes nothing. */
  async end(record: JobRecord, ending: Ending): Promise<void> {
    if (hasEnded(record.job)) return;
    const { event, ...outcome } = ending;
    const finishedAt = now(record.job);
    const result = 'result' in ending ? JSON.stringify(ending.result) : null;
    const error = 'error' in ending ? JSON.stringify(ending.error) : null;
    const progress = event === 'succeeded' ? 1 : record.job.progress;
    await this.change(record, event, finishedAt, { progress, state: event, finishedAt, result, error }, outcome);
    this.unfinished -= 1;
    this.keep(record.job);
    this.onEnd(record);
  }

  private change(record: JobRecord, event: EventName, at: string, patch: Partial<Job>, more = {}): Promise<void> {
    const job: Job = { ...record.job, ...patch, version: record.job.version + 1 };
    const { jobId, progress, version } = job;
    const data = JSON.stringify({ ...more, jobId, progress, version });
    return this.log.append(record, job, { event, data, at });
  }

  /** Keeps a finished job, and forgets the oldest ones when there are too many. */
  private keep(job: Job): void {
    const bytes = jobBytes(job);
    this.finished.set(job.jobId, bytes);
    this.finishedBytes += bytes;
    for (const [oldest, size] of this.finished) {
      if (this.finished.size <= this.bounds.maxFinished && this.finishedBytes <= this.bounds.maxFinishedBytes) return;
      this.finished.delete(oldest);
      this.finishedBytes -= size;
      const key = this.log.find(oldest)?.job.key;
      if (key && this.keys.get(key.name) === oldest) this.keys.delete(key.name);
      this.log.forget(oldest);
    }
  }
}

/**
 * The time to tell, RFC 3339. It is never before what was told of the same job, also when the clock was set back
 * meanwhile. Durations are measured on a clock that is never set: `performance.now()`.
 */
function now(job?: Job): string {
  const told = job?.startedAt ?? job?.createdAt ?? '';
  const time = new Date().toISOString();
  return time > told ? time : told;
}
