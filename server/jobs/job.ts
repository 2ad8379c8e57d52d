export type State = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** What a job was asked to do. */
export type Spec =
  | { kind: 'video'; file: string; bytes: number; paceMs: number | null }
  | { kind: 'simulated'; durationMs: number; steps: number; failAtStep: number | null }
  | { kind: 'manual' };

/** A job as it is kept. Never changed: every event makes a new one. */
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
  readonly result: unknown;
  /** A problem object (RFC 9457). */
  readonly error: unknown;
  /** The places of its first and its newest event in the log. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The Idempotency-Key that it was submitted with, and the fingerprint of that request. */
  readonly key: { name: string; fingerprint: string } | null;
}

/** The JSON that clients see of a job, made once for each version: many polls ask for the same one. */
export function jsonOf(job: Job): string {
  const known = rendered.get(job);
  if (known !== undefined) return known;
  const { jobId, spec, key, firstSeq, lastSeq, ...seen } = job;
  const self = `/jobs/${jobId}`;
  const links = { self, result: `${self}/result`, events: `${self}/events` };
  const json = JSON.stringify({ jobId, kind: spec.kind, ...seen, links });
  rendered.set(job, json);
  return json;
}
const rendered = new WeakMap<Job, string>();

export const hasEnded = (job: Job): boolean => job.finishedAt !== null;

/** How a job can end. */
export type Ending =
  | { event: 'succeeded'; result: unknown }
  | { event: 'failed'; error: Record<string, unknown> }
  | { event: 'cancelled' };
