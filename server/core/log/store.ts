import type { Job } from '../jobs/job.js';
import type { LogEvent } from './event.js';

/** The store cannot be used. The message says why and what to do. */
export class StoreError extends Error {}

/** A change that is to be committed: an event, and the job as the event leaves it. */
export interface Change {
  event: Pick<LogEvent, 'jobId' | 'event' | 'data' | 'at'>;
  job: Job;
  /** The position of the job's first event, and of its newest committed one; 0 for a job that is new. */
  first: number;
  last: number;
}

/** A change that is committed: the event has its position in the log. */
export interface Committed {
  event: LogEvent;
  job: Job;
}

/** What a store drops with a commit. */
export interface Dropped {
  /** Jobs that are no longer kept, each with the position of its first event. */
  jobs: readonly { jobId: string; first: number }[];
  /** The position of the newest event that is no longer held; 0 for none. */
  events: number;
}

/** How much of a log is held. The oldest go. */
export interface Bounds {
  /** How many events. */
  events: number;
  /** What they take in memory, in bytes. */
  eventBytes: number;
  /** How many finished jobs. */
  jobs: number;
  /** What these take in memory, in bytes. */
  jobBytes: number;
}

/** What a store holds when it is opened. */
export interface Contents {
  /** The oldest first, without holes. */
  events: LogEvent[];
  jobs: StoredJob[];
  /** The position of the newest event that is no longer held. */
  trimmed: number;
}

/** A job, and the positions of its first and its newest event. */
export interface StoredJob {
  job: Job;
  first: number;
  last: number;
}

/** Called with every commit, in the order of the log. */
export type Tail = (committed: Committed[]) => void;

/**
 * What keeps the log: the one part that another engine replaces. Each method may answer at once or with a promise; an
 * engine in this process answers at once, and costs its callers no turn of the event loop.
 */
export interface Store {
  /** Names this store: event ids that another store gave are not taken for its own. 8 characters of a-z and 0-9. */
  readonly name: string;

  /**
   * Reads what is held, within bounds, and lets go what is beyond them. From then on every commit is told to `tail`,
   * whichever server it came from. Called once. Error: {@link StoreError}.
   */
  open(bounds: Bounds, tail: Tail): Contents | Promise<Contents>;

  /**
   * Writes all of the changes, or none: gives each event the position after the one before it, and tells `tail` before
   * it returns. What it has written survives the end of this process. Throws, or rejects, when it has written nothing.
   */
  commit(changes: readonly Change[], dropped: Dropped): void | Promise<void>;

  /**
   * The position of the newest event that any server has committed. Rejects when it cannot be known. Left out by a store
   * that no other server writes to: what it has told is all that there is.
   */
  head?(): Promise<number>;

  close(): void | Promise<void>;
}
