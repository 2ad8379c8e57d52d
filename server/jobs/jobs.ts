import { Problem } from '../http/problem.js';
import type { EventName } from '../log/event.js';
import { type EventLog, JobTopic } from '../log/log.js';
import { type Ending, hasEnded, type Job, type Spec } from './job.js';

/** The life of a job: every change of one is an event in the log. */
export class Jobs {
  /** How many have not ended. */
  unfinished = 0;
  private readonly keys = new Map<string, string>();
  /** The finished ones, the first to finish first. */
  private readonly finished: string[] = [];

  constructor(
    readonly log: EventLog,
    private readonly maxUnfinished: number,
    private readonly maxFinished: number,
  ) {
    const jobs = [...log.jobs()].map(({ job }) => job);
    for (const { jobId, key } of jobs) if (key) this.keys.set(key.name, jobId);
    this.unfinished = jobs.filter((job) => !hasEnded(job)).length;
    const ended = jobs.filter(hasEnded).sort((a, b) => a.lastSeq - b.lastSeq);
    for (const { jobId } of ended) this.keep(jobId);
  }

  /** The job of that id. Error: 404. */
  find(jobId: string): JobTopic {
    const topic = this.log.find(jobId);
    if (topic) return topic;
    const detail = `There is no job "${jobId}": it never was, or it was among the oldest finished ones. Submit it again.`;
    throw new Problem(404, detail);
  }

  /** The job that was submitted with an Idempotency-Key. */
  submittedWith(key: string): JobTopic | undefined {
    const jobId = this.keys.get(key);
    return jobId === undefined ? undefined : this.log.find(jobId);
  }

  /** Throws 429 when there are as many unfinished jobs as may be. */
  admit(): void {
    if (this.unfinished < this.maxUnfinished) return;
    const detail = `${this.maxUnfinished} jobs are unfinished, and no more are taken. Come back when some have ended.`;
    throw new Problem(429, detail, { 'Retry-After': '1' });
  }

  /** Makes a job. Uploads take turns and are queued; the others start at once. It is committed when the promise is kept. */
  async create(spec: Spec, key: Job['key'], jobId: string): Promise<JobTopic> {
    const job: Job = {
      ...{ jobId, spec, key, state: 'queued', progress: 0, version: 0, firstSeq: 0, lastSeq: 0 },
      ...{ createdAt: new Date().toISOString(), startedAt: null, finishedAt: null, result: null, error: null },
    };
    const topic = new JobTopic(job);
    this.unfinished += 1;
    if (key) this.keys.set(key.name, jobId);
    try {
      const queued = this.change(topic, 'queued', {});
      await (spec.kind === 'video' ? queued : this.start(topic));
    } catch (error) {
      this.unfinished -= 1;
      // Unless a retry has come meanwhile, and its job has the key.
      if (key && this.keys.get(key.name) === jobId) this.keys.delete(key.name);
      throw error;
    }
    return topic;
  }

  /** The job begins to run. */
  start(topic: JobTopic): Promise<void> {
    return this.change(topic, 'started', { state: 'running', startedAt: new Date().toISOString() });
  }

  /** The job has come further. `more` is passed on in the event's data. */
  progress(topic: JobTopic, progress: number, more: Record<string, unknown> = {}): Promise<void> {
    return this.change(topic, 'progress', { progress }, more);
  }

  /** The job ends, once: whoever comes second changes nothing. */
  async end(topic: JobTopic, ending: Ending): Promise<void> {
    if (hasEnded(topic.job)) return;
    const { event, ...outcome } = ending;
    const progress = event === 'succeeded' ? 1 : topic.job.progress;
    const ended = { ...outcome, progress, state: event, finishedAt: new Date().toISOString() };
    await this.change(topic, event, ended, outcome);
    this.unfinished -= 1;
    this.keep(topic.job.jobId);
  }

  private change(topic: JobTopic, event: EventName, patch: Partial<Job>, more = {}): Promise<void> {
    const job: Job = { ...topic.job, ...patch, version: topic.job.version + 1 };
    const { jobId, progress, version } = job;
    const data = JSON.stringify({ ...more, jobId, progress, version });
    return this.log.append(topic, job, { event, data });
  }

  /** Keeps a finished job, and forgets the oldest when there are too many. */
  private keep(jobId: string): void {
    this.finished.push(jobId);
    if (this.finished.length <= this.maxFinished) return;
    const oldest = this.finished.shift()!;
    const key = this.log.find(oldest)?.job.key;
    if (key) this.keys.delete(key.name);
    this.log.forget(oldest);
  }
}
