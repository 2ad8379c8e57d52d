import { z } from 'zod';
import { visible } from '../../../scripts/shared/visible.mjs';
import type { Job } from '../../core/jobs/job.js';
import type { Change } from '../../core/log/store.js';
import { GENERATIONS } from './scripts.js';

// What the engine may answer. Its replies are checked before they are used: another program on its port, a proxy or a fault may send
// anything, and a stranger may write under the keys of this service.

const position = z.int().min(0);
const texts = z.array(z.string());
const pairs = texts.refine(({ length }) => length % 2 === 0);

/** Of the script `hello`: the generation, the newest position, and names and positions in turn. */
export const greeting = z.tuple([z.string().regex(/^[a-z0-9]{8}$/), position, pairs.max(2 * GENERATIONS)]);
/** Of `join`: nothing, or what differs and what the others have. */
export const joined = z.union([z.tuple([]), z.tuple([z.string(), z.string()])]);
/** Of `snapshot`: the newest position; ids and versions in turn; ids and jobs in turn. */
export const snapshotOfJobs = z.tuple([position, pairs, pairs]);
/** Of `commit`: that the generation has ended; or the newest position, and the ids of the jobs that were refused. */
export const commitment = z.union([z.literal('stale'), z.tuple([position, texts])]);
/** Of `renew`: the newest position, and the ids of the jobs that the server is to work on. */
export const renewal = z.tuple([position], z.string());
export const anything = z.unknown();
/** Of `HMGET`, for the generation and the newest position. Both are null on an engine that has lost its data. */
export const headOfLog = z.tuple([
  z.string().nullable(),
  z
    .string()
    .regex(/^\d{1,15}$/)
    .nullable(),
]);
/** Of `XRANGE` and the like: entries, each with its id and its fields. */
export const entries = z.array(z.tuple([z.string().regex(/^\d{1,15}-0$/), pairs]));
/** Of `XREAD` on one stream: null when nothing has come. */
export const readEntries = z.tuple([z.tuple([z.string(), entries])]).nullable();

/** Checks a reply. Error: it has another shape. */
export function checked<T>(shape: z.ZodType<T>, reply: unknown): T {
  const { success, data } = shape.safeParse(reply);
  if (success) return data;
  throw new Error(`it gave a reply that no Redis or Valkey gives: ${visible(JSON.stringify(reply), { most: 100 })}`);
}

/**
 * Reads an entry of the log: an event, and the job as the event left it. By hand: every server reads every entry.
 * Error: what is wrong with it.
 */
export function readEntry(text: string): { event: Change['event']; job: Job } {
  const { event, job } = (JSON.parse(text) ?? {}) as { event?: Change['event']; job?: Job };
  const isEvent = [event?.jobId, event?.event, event?.data, event?.at].every((field) => typeof field === 'string');
  if (!isEvent || !isJob(job) || job.jobId !== event?.jobId) throw new Error('it has no event and job of this service');
  return { event, job };
}

/** Reads a job. Error: what is wrong with it. */
export function readJob(text: string | undefined): Job {
  const job = text === undefined ? undefined : JSON.parse(text);
  if (!isJob(job)) throw new Error('it is no job of this service');
  return job;
}

const isJob = (job: unknown): job is Job => {
  const { jobId, spec, version, progress, state } = (job ?? {}) as Partial<Job>;
  const texts = [jobId, spec?.kind, state].every((field) => typeof field === 'string');
  return texts && Number.isSafeInteger(version) && typeof progress === 'number';
};
