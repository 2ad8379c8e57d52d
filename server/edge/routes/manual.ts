import { z } from 'zod';
import { type Ending, hasEnded } from '../../core/jobs/job.js';
import type { EventLog, JobRecord } from '../../core/log/log.js';
import { Problem } from '../../core/problem.js';
import { readJson } from '../http/body.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { RESPONSES } from '../interface/parts.js';
import { empty, type Route } from '../interface/route.js';
import { untilFirst } from './until-first.js';

/** The members of a progress body that are passed on, in bytes of JSON. */
const MAX_MORE_BYTES = 1024;

const progressBody = z.looseObject({ progress: z.number().min(0).max(1).describe('Never less than before.') }).meta({
  id: 'ProgressReport',
  description: "Other members, up to 1 KiB of JSON, are passed on in the event's data.",
});
const finishBody = z
  .looseObject({
    result: z.unknown().optional().describe('What `GET …/result` will answer.'),
    error: z.unknown().optional().describe('A problem object, or what becomes the `detail` of one.'),
  })
  .meta({
    ...{ id: 'Finish', description: 'Either a result or an error; any JSON.' },
    oneOf: [{ required: ['result'] }, { required: ['error'] }],
  });

/** `POST /jobs/{id}/progress`: moves a manual job on. */
export async function progress(x: HttpExchange): Promise<void> {
  movable(x);
  const { progress, ...more } = (await readJson(x, progressBody)).value;
  const bytes = Buffer.byteLength(JSON.stringify(more));
  if (bytes > MAX_MORE_BYTES) {
    throw new Problem(413, `The members beside progress may have ${MAX_MORE_BYTES} bytes, got ${bytes}. Send less.`);
  }
  await inTurn(x.context.log, x.job(), () => {
    const record = movable(x);
    if (progress >= record.job.progress) return x.context.jobs.progress(record, progress, more);
    const detail = `The job is at ${record.job.progress} and cannot go back to ${progress}. Send that or more.`;
    throw new Problem(409, detail);
  });
  x.empty(204);
}

/** `POST /jobs/{id}/finish`: ends a manual job, well with a `result`, badly with an `error`. */
export async function finish(x: HttpExchange): Promise<void> {
  movable(x);
  const { result, error } = (await readJson(x, finishBody)).value;
  if ((result === undefined) === (error === undefined)) {
    throw new Problem(400, `Expected either a result or an error, got ${result === undefined ? 'neither' : 'both'}.`);
  }
  const ending: Ending =
    error === undefined ? { event: 'succeeded', result } : { event: 'failed', error: problemOf(error) };
  await inTurn(x.context.log, x.job(), () => x.context.jobs.end(movable(x), ending));
  x.empty(204);
}

/** The newest report of a job: resolves when it is committed, or refused. */
const newest = new WeakMap<JobRecord, Promise<void>>();

/**
 * Moves a job on when its earlier reports, and whatever else is staged for it, are committed or undone: whether it may move is
 * decided by what is committed. Reports are decided in the order in which they come, however long a store takes.
 */
export async function inTurn(log: EventLog, record: JobRecord, move: () => Promise<void>): Promise<void> {
  const before = newest.get(record);
  const moving = (async () => {
    if (record.staged) void log.flush(); // not at the end of this turn of the event loop, but now
    await before;
    while (record.staged) await log.flush();
    await untilFirst(move);
  })();
  newest.set(
    record,
    moving.catch(() => {}),
  );
  await moving;
}

/** The path's job, if it moves when told and has not ended. Errors: 404, 409. */
function movable(x: HttpExchange): JobRecord {
  const record = x.job();
  const { spec, state } = record.job;
  if (spec.kind !== 'manual')
    throw new Problem(409, `A ${spec.kind} job moves by itself. Submit { "kind": "manual" } for one that is told.`);
  if (hasEnded(record.job))
    throw new Problem(409, `The job has ${state === 'cancelled' ? 'been cancelled' : state}: it moves no more.`);
  return record;
}

/** An error as a problem object, whatever was told of it. */
function problemOf(error: unknown): Record<string, unknown> {
  const told =
    typeof error === 'object' && error !== null && !Array.isArray(error)
      ? error
      : { detail: typeof error === 'string' ? error : JSON.stringify(error) };
  return { type: 'about:blank', title: 'The job failed', ...told };
}

export const progressJob: Route = {
  ...{ method: 'POST', path: '/jobs/{id}/progress', answer: progress, operation: 'progressJob', tag: 'jobs' },
  summary: 'Move a manual job on',
  body: { 'application/json': { schema: progressBody, example: { progress: 0.4, frame: 1200 } } },
  answers: { 204: empty('Told to all who listen.'), 409: RESPONSES.Immovable, 503: RESPONSES.Unavailable },
};

export const finishJob: Route = {
  ...{ method: 'POST', path: '/jobs/{id}/finish', answer: finish, operation: 'finishJob', tag: 'jobs' },
  summary: 'End a manual job',
  description: 'Well, with a `result`; badly, with an `error`.',
  body: {
    'application/json': {
      schema: finishBody,
      examples: {
        succeeded: { value: { result: { answer: 42 } } },
        failed: { value: { error: { title: 'Out of ink' } } },
      },
    },
  },
  answers: { 204: empty('The job has ended.'), 409: RESPONSES.Immovable, 503: RESPONSES.Unavailable },
};
