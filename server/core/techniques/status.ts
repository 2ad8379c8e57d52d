import type { Exchange } from '../exchange.js';
import { hasEnded, jobJson } from '../jobs/job.js';
import { longPollForChange } from './long-poll-change.js';

/** `GET /jobs/{id}`: a short poll, or with a wait a long poll for the next change. */
export function status(x: Exchange): void | Promise<void> {
  const wait = x.wait();
  return wait ? longPollForChange(x, wait) : shortPoll(x);
}

/** **Short poll**: answers immediately with the status. */
export function shortPoll(x: Exchange): void {
  x.accepts('application/json');
  const { job } = x.job();
  // RFC 9111, section 5.2.2.4: a cache may keep it, and must ask with its ETag before each use. `no-store` would forbid that.
  const headers: Record<string, string> = { ETag: `"${job.version}"`, 'Cache-Control': 'no-cache' };
  // RFC 9110, section 10.2.3: how long to wait before asking again, in seconds.
  if (!hasEnded(job)) headers['Retry-After'] = x.context.retryAfter;
  // RFC 9110, section 13.1.2: 304 when the client has this very version already.
  if (x.hasVersion(job.version)) x.empty(304, headers);
  else x.json(200, jobJson(job), headers);
}
