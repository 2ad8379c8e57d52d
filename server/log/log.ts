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

/** One change that is not committed yet, and how to take it back. */
interface Change {
  topic: JobTopic;
  event: LogEvent;
  undo: () => void;
}

/** Those who wait for the same commit. */
class Group {
  resolve!: () => void;
  reject!: (error: Error) => void;
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => {}); // whoever waits hears of a failure; nobody has to wait
  }
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
  private group: Group | null = null;

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

  /** The newest place in the log. */
  get head(): number {
    return this.all.head;
  }

  /** Finds a job, as its last committed event left it. */
  find(jobId: string): JobTopic | undefined {
    // Only for a change of its own: a commit for each look at any job would undo the batching of a busy turn.
    if (this.topics.get(jobId)?.staged) this.flush();
    return this.topics.get(jobId);
  }

  /** All jobs, the oldest first. */
  jobs(): Iterable<JobTopic> {
    if (this.staged.length > 0) this.flush();
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
    const undo = () => {
      if (before) topic.job = before;
      else this.topics.delete(job.jobId);
    };
    this.staged.push({ topic, event: { seq, jobId: job.jobId, ...event, at }, undo });
    return this.scheduled();
  }

  /** Forgets a finished job. Its events stay in the log of all until they are the oldest. */
  forget(jobId: string): void {
    this.topics.delete(jobId);
    this.forgotten.push(jobId);
  }

  /** Commits what is staged, and only then tells it. Throws 503, with all of it undone, when it cannot be written. */
  flush(): void {
    const { staged, group, forgotten, trimmed } = this;
    if (!group) return;
    this.staged = [];
    this.group = null;
    for (const { topic } of staged) topic.staged = false;
    const jobs = new Set(staged.map(({ topic }) => topic.job));
    try {
      this.store.save({ events: staged.map(({ event }) => event), jobs, forgotten, trimmed });
    } catch (error) {
      for (const { undo } of staged.reverse()) undo();
      this.next = this.head + 1;
      const problem = unwritable(error as Error);
      group.reject(problem);
      return;
    }
    this.forgotten = [];
    this.trimmed = 0;
    for (const { topic, event } of staged) {
      topic.ended = topic.job.finishedAt !== null;
      this.hold(topic, event);
      this.delivery.wake(topic);
    }
    this.delivery.wake(this.all);
    group.resolve();
  }

  private hold(topic: Topic | undefined, event: LogEvent): void {
    this.all.add(event);
    topic?.add(event);
    if (this.all.held <= this.maxEvents) return;
    const gone = this.all.trim()!;
    this.topics.get(gone.jobId)?.trim();
    this.trimmed = gone.seq;
  }

  private scheduled(): Promise<void> {
    if (!this.group) {
      this.group = new Group();
      setImmediate(() => this.flush());
    }
    return this.group.promise;
  }
}

const unwritable = ({ message }: Error) =>
  unavailable(
    `The data folder cannot be written (${message}). Nothing was changed. Free some space, and try again.`,
    5,
  );
