import type { Exchange } from '../../edge/http/exchange.js';
import { Problem } from '../../edge/http/problem.js';
import { HEADERS, RESPONSES, WAIT } from '../../edge/interface/parts.js';
import { json, type Route } from '../../edge/interface/route.js';
import * as schemas from '../../edge/interface/schemas.js';
import { hasEnded, type Job, jobJson } from '../jobs/job.js';

/** **Long poll**: `GET /jobs/{id}/result`. If the client would wait, held until the job ends; else answered now. */
export async function result(x: Exchange): Promise<void> {
  const wait = x.wait();
  x.is(wait ? 'long-poll' : 'other');
  x.accepts('application/json');
  const record = x.job();
  if (wait) await x.holdForEnd(record, wait.seconds);
  outcome(x, record.job, { ...wait?.applied });
}

/** The original response of the task; or why there is none; or that there is none yet. */
export function outcome(x: Exchange, job: Job, headers: Record<string, string>): void {
  if (job.state === 'succeeded') x.json(200, job.result as string, headers);
  else if (!hasEnded(job)) x.json(202, jobJson(job), { 'Retry-After': x.app.retryAfter, ...headers });
  else {
    const { jobId, state, error } = job;
    const how = state === 'cancelled' ? 'been cancelled' : state;
    const detail = `The job has ${how}: it has no result. Submit it again.`;
    x.problem(new Problem(409, detail, headers, { jobId, state, error: JSON.parse(error ?? 'null') }));
  }
}

export const getResult: Route = {
  ...{ method: 'GET', path: '/jobs/{id}/result', answer: result, operation: 'getResult', tag: 'jobs' },
  summary: 'Long poll: no status, only the end',
  description:
    'The original response of the task. Without a wait: the result if there is one. **With a wait**: held until the job ends or the time is up.',
  takes: WAIT,
  answers: {
    200: json('The result itself.', schemas.result, HEADERS['Preference-Applied']),
    202: json('The job has not ended: ask again.', schemas.job, HEADERS['Retry-After'], HEADERS['Preference-Applied']),
    409: RESPONSES.NoResult,
    503: RESPONSES.Unavailable,
  },
};
