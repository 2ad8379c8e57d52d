import type { Exchange, Wait } from '../exchange.js';
import { hasEnded, jobJson } from '../jobs/job.js';

/**
 * **Long poll** for the next change: `GET /jobs/{id}` with a wait and with the version that the client has.
 * Held until there is another one; `304` when there is none in time, or can be none because the job has ended.
 */
export async function longPollForChange(x: Exchange, wait: Wait): Promise<void> {
  x.setTechnique('long-poll');
  x.accepts('application/json');
  const record = x.job();
  const known = x.hasVersion(record.job.version);
  // Every change of a job is one event of its topic, so that this waits for one more event.
  if (known) await x.hold(record.events, record.events.head, 1, wait.seconds);
  const { job } = record;
  const headers: Record<string, string> = { ...(known && wait.applied), ETag: `"${job.version}"` };
  if (!hasEnded(job)) headers['Retry-After'] = x.context.retryAfter;
  if (x.hasVersion(job.version)) x.empty(304, headers);
  else x.json(200, jobJson(job), headers);
}
