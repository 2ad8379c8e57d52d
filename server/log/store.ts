import type { Job } from '../jobs/job.js';
import type { LogEvent } from './event.js';

/** The data folder cannot be used. The message says why and what to do. */
export class StoreError extends Error {}

/** What one commit writes. */
export interface Batch {
  events: readonly LogEvent[];
  jobs: Iterable<Job>;
  /** Jobs that are no longer kept. */
  forgotten: readonly string[];
  /** The position of the newest event that is no longer held. */
  trimmed: number;
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

/** What a store held when it was last written. */
export interface Contents {
  /** The oldest first. */
  events: LogEvent[];
  jobs: Job[];
  /** The position of the newest event that is no longer held. */
  trimmed: number;
}

/** What keeps a log while no server runs. */
export interface Store {
  /** Names this store: event ids that another store gave are not taken for its own. */
  readonly name: string;
  /** All that was held, within bounds: what is beyond them is let go, also in the store. Error: {@link StoreError}. */
  load(bounds: Bounds): Contents;
  /** Writes all of a batch; or throws, and has written none of it. */
  save(batch: Batch): void;
  close(): void;
}
