import type { Job } from '../jobs/job.js';
import type { LogEvent } from './event.js';

/** The store cannot be used. The message says why and what to do. */
export class StoreError extends Error {}

/** A job, and the positions of its first and of its newest committed event; 0 when it is new. */
export interface StoredJob {
  job: Job;
  first: number;
  last: number;
}

/** A change that is to be committed: an event, and the job as the event leaves it. */
export interface Change extends StoredJob {
  event: Pick<LogEvent, 'jobId' | 'event' | 'data' | 'at'>;
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

/** How many events and finished jobs are held, and how many bytes of memory each of both may take. The oldest go. */
export interface Bounds {
  events: number;
  eventBytes: number;
  jobs: number;
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

/** The ids of the jobs whose changes were not committed, since another server came first. */
export type Refused = ReadonlySet<string> | undefined;

/** Called with every commit, in the order of the log. */
export type Tail = (committed: Committed[]) => void;

/**
 * What keeps the log: the one part that another engine replaces. Each method may answer at once or with a promise; an
 * engine in this process answers at once, and costs its callers no turn of the event loop.
 */
export interface Store {
  /** Names this store: event ids that another store gave are not taken for its own. 8 characters of a-z and 0-9. */
  readonly name: string;
  /** The names that this store had before, the oldest first, each with the newest position that has that name. */
  readonly earlier?: readonly { name: string; end: number }[];

  /**
   * Reads what is held, within bounds, and lets go what is beyond them. From then on every commit is told to `tail`,
   * whichever server it came from, the first one in a later turn of the event loop. Called once. Error: {@link StoreError}.
   */
  open(bounds: Bounds, tail: Tail): Contents | Promise<Contents>;

  /**
   * Writes all of the changes, or none: gives each event the position after the one before it, and tells `tail` before
   * it returns. What it has written survives the end of this process. Throws, or rejects, when it has written nothing.
   * A store that servers share refuses a job's changes where another server came first, once `tail` was told of what it did.
   */
  commit(changes: readonly Change[], dropped: Dropped): Refused | Promise<Refused>;

  /**
   * Resolves when `tail` was told of everything that any server had committed before this call. Left out by a store that no
   * other server writes to. Error: `NotReadable`, when that cannot be known.
   */
  fresh?(): Promise<void>;

  close(): void | Promise<void>;
}
