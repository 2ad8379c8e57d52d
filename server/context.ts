import type { Jobs } from './core/jobs/jobs.js';
import type { EventLog, JobRecord } from './core/log/log.js';
import type { Waiting } from './core/waiting.js';
import type { Ledger } from './edge/ledger.js';
import type { Uploads } from './edge/uploads/uploads.js';
import type { Settings } from './settings.js';

/** What a route may use of the server. */
export interface Context {
  readonly settings: Settings;
  /** A secret of whoever started this server; `GET /healthz` proves it with a hash. */
  readonly token: string;
  readonly log: EventLog;
  readonly jobs: Jobs;
  readonly uploads: Uploads;
  /** The clients that wait. */
  readonly waiting: Waiting;
  readonly ledger: Ledger;
  /** Where it speaks HTTPS. */
  readonly httpsUrl: string;
  readonly stopping: boolean;
  /** `Retry-After` for what is not ready yet, in whole seconds (RFC 9110, section 10.2.3). */
  readonly retryAfter: string;
  /** Sets a job going. */
  run(record: JobRecord): void;
}
