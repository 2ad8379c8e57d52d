import { NoSuchJob, TooManyJobs } from '../../core/jobs/errors.js';
import { NotReadable, NotWritable, Overtaken } from '../../core/log/errors.js';
import { Problem } from '../../core/problem.js';
import { TooManyWaiters } from '../../core/waiting.js';
import { TooManyUploads } from '../uploads/uploads.js';

/** The answer to an error of the log, of the jobs or of a route. Any other error is a bug of this server: 500. */
export function problemOf(error: Error): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof NoSuchJob) return new Problem(404, error.message);
  if (error instanceof TooManyJobs) return new Problem(429, error.message, { 'Retry-After': '1' });
  if (error instanceof TooManyWaiters) return unavailable(error.message, 1);
  if (error instanceof TooManyUploads) return unavailable(error.message, 5);
  if (error instanceof NotWritable || error instanceof NotReadable) return unavailable(error.message, 5);
  if (error instanceof Overtaken) return unavailable('Another server was first at this job. Try again.', 1);
  return new Problem(500, 'The server failed at this request: a bug. Its log says more.');
}

/** 503, with the time after which to try again, in seconds. */
const unavailable = (detail: string, seconds: number) => new Problem(503, detail, { 'Retry-After': String(seconds) });
