import type { Exchange, Wait } from '../exchange.js';
import { hasEnded, jobJson } from '../jobs/job.js';

/**
 * **Long poll** for the next change: `GET /jobs/{id}` with a wait and with the version that the client has.
 * Holds the request until there is another version; answers `304` if the wait ends first, or if the job has already ended.
 */
export async function longPollForChange(x: Exchange, wait: Wait): Promise<void> {
  x.accepts('application/json');
  const record = x.job();
  const known = x.hasVersion(record.job.version);
  // Each change of a job adds one event to its topic: so the next event is the next change.
  if (known) await x.hold(record.events, record.events.head, 1, wait.seconds);
  const { job } = record;
  const headers: Record<string, string> = { ...(known && wait.applied), ETag: `"${job.version}"` };
  if (!hasEnded(job)) headers['Retry-After'] = x.context.retryAfter;
  if (x.hasVersion(job.version)) x.empty(304, headers);
  else x.json(200, jobJson(job), headers);
}
