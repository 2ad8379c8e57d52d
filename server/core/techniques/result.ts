import type { Exchange } from '../exchange.js';
import { hasEnded, type Job, jobJson } from '../jobs/job.js';
import { Problem } from '../problem.js';

/** **Long poll**: `GET /jobs/{id}/result`. Holds the request until the job ends, if the client is willing to wait. */
export function result(x: Exchange): void {
  const wait = x.wait();
  x.accepts('application/json');
  const record = x.job();
  if (wait) x.holdForEnd(record, wait, outcome);
  else outcome(x, record.job);
}

/** The original response of the task; or why there is none; or that there is none yet. */
export function outcome(x: Exchange, job: Job, headers: Record<string, string> = {}): void {
  if (job.state === 'succeeded') x.json(200, job.result as string, headers);
  else if (!hasEnded(job)) x.json(202, jobJson(job), { 'Retry-After': x.context.retryAfter, ...headers });
  else {
    const { jobId, state, error } = job;
    const how = state === 'cancelled' ? 'been cancelled' : state;
    const detail = `The job has ${how}: it has no result. Submit it again.`;
    x.problem(new Problem(409, detail, headers, { jobId, state, error: JSON.parse(error ?? 'null') }));
  }
}
