import { unavailable } from '../http/problem.js';
import type { Job } from '../jobs/job.js';
import { Delivery } from './cursor.js';
import { Ids, type LogEvent } from './event.js';
import type { Store } from './store.js';
import { Topic } from './topic.js';

/** A job's own events, and the job as the newest of them left it. */
export class JobTopic extends Topic {
  /** Whether a change of it is not committed yet. */
  staged = false;

  constructor(public job: Job) {
    super();
  }
}

/** One change that is not committed yet, the job as it was before, and whoever waits for the commit. */
interface Change {
  topic: JobTopic;
  event: LogEvent;
  before: Job | null;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * One append-only log; whoever waits is a cursor on it. Appends of one turn of the event loop are committed together,
 * and nobody is told of an event, or of the state it led to, before it is committed.
 */
export class EventLog {
  /** The events of all jobs. */
  readonly all = new Topic();
  readonly delivery = new Delivery();
  readonly ids: Ids;
  private readonly topics = new Map<string, JobTopic>();
  private staged: Change[] = [];
  private forgotten: string[] = [];
  private trimmed = 0;
  private next = 1;

  constructor(
    private readonly store: Store,
    private readonly maxEvents: number,
  ) {
    this.ids = new Ids(store.name);
    const { events, jobs, trimmed } = store.load();
    for (const job of jobs.sort((a, b) => a.firstSeq - b.firstSeq)) {
      const topic = new JobTopic(job);
      this.topics.set(job.jobId, topic);
      topic.ended = job.finishedAt !== null;
      topic.head = job.lastSeq;
    }
    this.all.head = this.all.trimmed = trimmed;
    for (const event of events) this.hold(this.topics.get(event.jobId), event);
    // A job's version counts its events: one that has more than are held has lost some.
    for (const topic of this.topics.values()) {
      if (topic.held < topic.job.version) topic.trimmed = Math.min(topic.job.lastSeq, this.all.trimmed);
    }
    this.next = this.all.head + 1;
  }

  /** Finds a job, as its last committed event left it. */
  find(jobId: string): JobTopic | undefined {
    // Only for a change of its own: a commit for each look at any job would undo the batching of a busy turn.
    if (this.topics.get(jobId)?.staged) this.flush();
    return this.topics.get(jobId);
  }

  /** All jobs, the oldest first. */
  jobs(): Iterable<JobTopic> {
    this.flush();
    return this.topics.values();
  }

  /**
   * Stages an event and the job it leads to; the promise is kept when both are committed. A caller that does not
   * wait sees the new job, and nobody else does.
   */
  append(topic: JobTopic, job: Job, event: Omit<LogEvent, 'seq' | 'jobId' | 'at'>): Promise<void> {
    const before = this.topics.has(job.jobId) ? topic.job : null;
    const seq = this.next++;
    const at = new Date().toISOString();
    topic.job = { ...job, firstSeq: job.firstSeq || seq, lastSeq: seq };
    topic.staged = true;
    this.topics.set(job.jobId, topic);
    if (this.staged.length === 0) setImmediate(() => this.flush());
    const committed = new Promise<void>((resolve, reject) => {
      this.staged.push({ topic, event: { seq, jobId: job.jobId, ...event, at }, before, resolve, reject });
    });
    committed.catch(() => {}); // whoever waits hears of a failure; nobody has to wait
    return committed;
  }

  /** Forgets a finished job. Its events stay in the log of all until they are the oldest. */
  forget(jobId: string): void {
    this.topics.delete(jobId);
    this.forgotten.push(jobId);
  }

  /** Commits what is staged, and only then tells it. When it cannot be written all of it is undone: 503 for who waits. */
  flush(): void {
    const { staged, forgotten, trimmed } = this;
    if (staged.length === 0) return;
    this.staged = [];
    for (const { topic } of staged) topic.staged = false;
    const jobs = new Set(staged.map(({ topic }) => topic.job));
    try {
      this.store.save({ events: staged.map(({ event }) => event), jobs, forgotten, trimmed });
    } catch (error) {
      this.undo(staged, error as Error);
      return;
    }
    this.forgotten = [];
    this.trimmed = 0;
    for (const { topic, event, resolve } of staged) {
      topic.ended = topic.job.finishedAt !== null;
      this.hold(topic, event);
      this.delivery.wake(topic);
      resolve();
    }
    this.delivery.wake(this.all);
  }

  /** The newest change first, so that each job ends up as it was before its oldest one. */
  private undo(changes: Change[], { message }: Error): void {
    const detail = `The data folder cannot be written (${message}). Nothing was changed. Free some space, and try again.`;
    for (const { topic, before, reject } of changes.reverse()) {
      if (before) topic.job = before;
      else this.topics.delete(topic.job.jobId);
      reject(unavailable(detail, 5));
    }
    this.next = this.all.head + 1;
  }

  private hold(topic: Topic | undefined, event: LogEvent): void {
    this.all.add(event);
    topic?.add(event);
    if (this.all.held <= this.maxEvents) return;
    const gone = this.all.trim()!;
    this.topics.get(gone.jobId)?.trim();
    this.trimmed = gone.seq;
  }
}
