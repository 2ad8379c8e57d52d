import { jobJson } from '../../core/jobs/job.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { HEADERS, RESPONSES } from '../interface/parts.js';
import { json, type Route } from '../interface/route.js';
import * as schemas from '../interface/schemas.js';
import { untilFirst } from './until-first.js';

/** `DELETE /jobs/{id}`: cancels. A finished job is left as it is. */
export async function cancel(x: HttpExchange): Promise<void> {
  x.accepts('application/json');
  const record = x.job();
  await untilFirst(() => x.context.jobs.end(record, { event: 'cancelled' }));
  x.json(200, jobJson(record.job), { ETag: `"${record.job.version}"` });
}

export const cancelJob: Route = {
  ...{ method: 'DELETE', path: '/jobs/{id}', answer: cancel, operation: 'cancelJob', tag: 'jobs' },
  summary: 'Cancel a job',
  description: 'A finished job is left as it is.',
  answers: {
    200: json('The job, cancelled, or finished before.', schemas.job, HEADERS.ETag),
    503: RESPONSES.Unavailable,
  },
};
