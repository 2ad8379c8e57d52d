import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Job } from './jobs/job.js';
import type { Jobs } from './jobs/jobs.js';
import type { EventLog, JobRecord } from './log/log.js';
import type { Topic } from './log/topic.js';
import type { Problem } from './problem.js';
import type { Presence, Waiting } from './waiting.js';

/** What a technique uses of the server. */
export interface Context {
  readonly log: EventLog;
  readonly jobs: Jobs;
  readonly waiting: Waiting;
  /** In milliseconds. */
  readonly settings: { readonly heartbeatMs: number; readonly retryMs: number };
  /** `Retry-After` while a job has not ended, in whole seconds (RFC 9110, section 10.2.3). */
  readonly retryAfter: string;
  /** Sets a job going, or going on. */
  run(record: JobRecord): void;
}

/** How long a client is willing to wait. */
export interface Wait {
  readonly seconds: number;
  /** Headers for the answer: `Preference-Applied` names a preference that was honored (RFC 7240, section 3). */
  readonly applied: Record<string, string>;
}

type Headers = Record<string, string | number>;

/** One request and its response, as a technique uses them. `edge/http/http-exchange.ts` implements it. */
export interface Exchange {
  readonly context: Context;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
  /** The client, and how many bytes of the answer it has yet to take. */
  readonly lifetime: Presence & { readonly unsent: number; addUnsent(bytes: number): void; took(bytes: number): void };

  /** The job that the path names. Error: `NoSuchJob`. */
  job(): JobRecord;
  /** How long the client is willing to wait; null for not at all. `HEAD` never waits. Error: 400. */
  wait(): Wait | null;
  /** A whole number in the query; null when it is not there. Error: 400. */
  number(name: string, min: number, max: number): number | null;
  /** Whether the client has this version already (RFC 9110, section 13.1.2: a weak comparison; `*` is any version). */
  hasVersion(version: number): boolean;
  /** The one of the media types offered that the client prefers. Error: 406 (RFC 9110, section 12.5.1). */
  accepts<T extends string>(...offered: T[]): T;

  /** Tells the ledger that so many events are sent. */
  countEvents(events: number): void;

  /** Holds the answer until a topic has `min` events past a cursor, has ended, or the time is up. Error: `TooManyWaiters`. */
  hold(topic: Topic, after: number, min: number, seconds: number): Promise<void>;
  /** Calls `answer` when a job has ended, or the time is up. A promise would take more memory. Error: `TooManyWaiters`. */
  holdForEnd(record: JobRecord, wait: Wait, answer: (x: Exchange, job: Job, headers: Wait['applied']) => void): void;

  /** Sends a whole answer in JSON. */
  json(status: number, body: string, headers?: Headers): void;
  /** Sends an answer that has no content. */
  empty(status: number, headers?: Headers): void;
  /** Sends a problem (RFC 9457). */
  problem(problem: Problem): void;
  /** Sends the head of an answer that has no end. Its body is written to `res`. */
  openStream(headers: Headers): void;
}
