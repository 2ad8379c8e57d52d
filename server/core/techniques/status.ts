import { z } from 'zod';
import type { Exchange } from '../../edge/http/exchange.js';
import { HEADERS, RESPONSES, WAIT } from '../../edge/interface/parts.js';
import { empty, json, type Route } from '../../edge/interface/route.js';
import * as schemas from '../../edge/interface/schemas.js';
import { hasEnded, jobJson } from '../jobs/job.js';
import { longPollForChange } from './long-poll-change.js';

/** `GET /jobs/{id}`: a short poll, or with a wait a long poll for the next change. */
export function status(x: Exchange): void | Promise<void> {
  const wait = x.wait();
  return wait ? longPollForChange(x, wait) : shortPoll(x);
}

/** **Short poll**: the status, at once. */
export function shortPoll(x: Exchange): void {
  x.is('short-poll');
  x.accepts('application/json');
  const { job } = x.job();
  // RFC 9111, section 5.2.2.4: a cache may keep it, and must ask with its ETag before each use. `no-store` would forbid that.
  const headers: Record<string, string> = { ETag: `"${job.version}"`, 'Cache-Control': 'no-cache' };
  // RFC 9110, section 10.2.3: how long to wait before asking again, in seconds.
  if (!hasEnded(job)) headers['Retry-After'] = x.app.retryAfter;
  // RFC 9110, section 13.1.2: 304 when the client has this very version already.
  if (x.hasVersion(job.version)) x.empty(304, headers);
  else x.json(200, jobJson(job), headers);
}

const HEAD = [HEADERS.ETag, HEADERS['Retry-After-unfinished'], HEADERS['Preference-Applied']];

export const getJob: Route = {
  ...{ method: 'GET', path: '/jobs/{id}', answer: status, operation: 'getJob', tag: 'jobs' },
  summary: 'Short poll: the status, at once',
  description:
    '**With a wait and `If-None-Match`**: a long poll for the next change, held until the version is another one; `304` when the time is up, or at once when the job has ended. With a wait alone: at once.',
  takes: [
    {
      ...{ in: 'header', name: 'If-None-Match', schema: z.string(), example: '"9"' },
      description: 'The `ETag` that the client has (RFC 9110, section 13.1.2).',
    },
    ...WAIT,
  ],
  answers: {
    200: json('The job.', schemas.job, ...HEAD),
    304: empty('The client has this version already.', ...HEAD),
    503: RESPONSES.Unavailable,
  },
};
