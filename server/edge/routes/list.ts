import { z } from 'zod';
import { jobJson, type State } from '../../core/jobs/job.js';
import { NOWHERE } from '../../core/log/event.js';
import { badRequest } from '../../core/problem.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { json, type Route } from '../interface/route.js';
import * as schemas from '../interface/schemas.js';

const STATES: readonly State[] = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];
const MAX_LIMIT = 1000;
/** Once a page has so many characters of JSON, it ends, and `next` says where to go on. */
const MAX_LENGTH = 256 * 1024;

/** `GET /jobs`: the jobs, newest first, a page at a time. */
export function list(x: HttpExchange): void {
  x.accepts('application/json');
  const { log } = x.context;
  const state = x.query.get('state');
  if (state !== null && !STATES.includes(state as State))
    throw badRequest(`state expects one of ${STATES.join(', ')}, got "${state}".`);
  const limit = x.number('limit', 1, MAX_LIMIT) ?? 100;
  const after = x.query.get('after');
  const place = after === null ? Number.POSITIVE_INFINITY : log.ids.read(after);
  if (place === null || place === NOWHERE)
    throw badRequest(`after expects the "next" of an earlier page, got "${after}".`);
  const jobs = [...log.jobs()]
    .reverse()
    .filter(({ job, first }) => (state === null || job.state === state) && first < place);
  const page: string[] = [];
  for (let length = 0; page.length < Math.min(limit, jobs.length) && length < MAX_LENGTH; ) {
    length += page[page.push(jobJson(jobs[page.length]!.job)) - 1]!.length;
  }
  const next = jobs.length > page.length ? `"${log.ids.of(jobs[page.length - 1]!.first)}"` : 'null';
  x.json(200, `{"jobs":[${page.join(',')}],"next":${next}}`);
}

export const listJobs: Route = {
  ...{ method: 'GET', path: '/jobs', answer: list, operation: 'listJobs', tag: 'jobs' },
  summary: 'List the jobs, newest first',
  takes: [
    { in: 'query', name: 'state', description: 'Only those in this state.', schema: schemas.state },
    {
      ...{ in: 'query', name: 'limit', description: 'How many at most.' },
      schema: z.int().min(1).max(MAX_LIMIT).default(100),
    },
    {
      ...{ in: 'query', name: 'after', schema: z.string().min(1) },
      description: 'The `next` of an earlier page. Anything else is a `400`.',
    },
  ],
  answers: {
    200: {
      ...json('A page of jobs.', schemas.jobPage),
      links: {
        next: {
          ...{ operation: 'listJobs', parameters: { after: '$response.body#/next' } },
          description: 'The next page, unless `next` is null.',
        },
      },
    },
  },
};
