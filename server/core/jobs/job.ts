import { textBytes } from '../log/size.js';

export type State = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** What a job was asked to do. */
export type Spec =
  | { kind: 'video'; file: string; bytes: number; paceMs: number | null }
  | { kind: 'simulated'; durationMs: number; steps: number; failAtStep: number | null }
  | { kind: 'manual' };

/** A job as the log keeps it. It is never changed: every event makes a new object. */
export interface Job {
  readonly jobId: string;
  readonly spec: Spec;
  readonly state: State;
  /** 0 to 1, never backwards. */
  readonly progress: number;
  /** Grows by one with every event; also the ETag. */
  readonly version: number;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** JSON text: parsed, 64 KiB of it may take a megabyte. */
  readonly result: string | null;
  /** A problem object (RFC 9457), as JSON text. */
  readonly error: string | null;
  /** The Idempotency-Key that it was submitted with, and the fingerprint of that request. */
  readonly key: { name: string; fingerprint: string } | null;
}

/** How a job can end. */
export type Ending =
  | { event: 'succeeded'; result: unknown }
  | { event: 'failed'; error: Record<string, unknown> }
  | { event: 'cancelled' };

export const hasEnded = (job: Job): boolean => job.finishedAt !== null;

/** What a job takes in memory beside its result, its error and its key, in bytes. */
const JOB_BYTES = 1_500;

/** What a job takes in memory, in bytes. */
export const jobBytes = ({ result, error, key }: Job): number =>
  JOB_BYTES + textBytes(result ?? '') + textBytes(error ?? '') + (key?.name.length ?? 0);

/** The JSON that clients see of a job. */
export function jobJson(job: Job): string {
  const known = rendered.get(job);
  if (known !== undefined) return known;
  const { jobId, spec, state, progress, version, createdAt, startedAt, finishedAt, result, error } = job;
  const self = `/jobs/${jobId}`;
  const links = { self, result: `${self}/result`, events: `${self}/events` };
  const members = { jobId, kind: spec.kind, state, progress, version, createdAt, startedAt, finishedAt };
  const json = `${JSON.stringify(members).slice(0, -1)},"result":${result},"error":${error},"links":${JSON.stringify(links)}}`;
  // Many polls ask for the same version. A large result is not kept twice.
  if (rendered.size >= MAX_RENDERED) rendered.clear();
  if (json.length <= MAX_RENDERED) rendered.set(job, json);
  return json;
}
const rendered = new Map<Job, string>();
/** How many texts are kept, and the longest that is kept, in characters. */
const MAX_RENDERED = 1_000;
