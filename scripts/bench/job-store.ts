// What the floor, Fastify and Hono keep of a job: the least that their routes can be written with, in memory.
import { randomUUID } from 'node:crypto';

/** An event of a job, with its data as JSON and, whole, as it goes on the wire. */
export interface StoredEvent {
  id: string;
  event: string;
  data: string;
  frame: string;
}

/** A job that moves only when it is told to. */
export class Job {
  readonly jobId = randomUUID();
  state = 'running';
  progress = 0;
  version = 0;
  readonly createdAt = new Date().toISOString();
  readonly startedAt = this.createdAt;
  finishedAt: string | null = null;
  result: unknown = null;
  readonly events: StoredEvent[] = [];
  /** Called with every event from now on. */
  readonly streams = new Set<(event: StoredEvent) => void>();
  /** Called once, when the job has ended. */
  readonly waiters = new Set<() => void>();

  private tell(event: string, more = {}): void {
    const data = JSON.stringify({ jobId: this.jobId, progress: this.progress, version: ++this.version, ...more });
    const id = String(this.events.length + 1);
    const told = { id, event, data, frame: `id: ${id}\nevent: ${event}\ndata: ${data}\n\n` };
    this.events.push(told);
    for (const send of this.streams) send(told);
  }

  start(): void {
    this.tell('queued');
    this.tell('started');
  }

  advance(progress: number): void {
    this.progress = progress;
    this.tell('progress');
  }

  finish(result: unknown): void {
    Object.assign(this, { state: 'succeeded', progress: 1, finishedAt: new Date().toISOString(), result });
    this.tell('succeeded', { result });
    for (const answer of this.waiters) answer();
    this.waiters.clear();
  }

  toJSON() {
    const { jobId, state, progress, version, createdAt, startedAt, finishedAt, result } = this;
    const self = `/jobs/${jobId}`;
    const links = { self, result: `${self}/result`, events: `${self}/events` };
    const times = { createdAt, startedAt, finishedAt };
    return { jobId, kind: 'manual', state, progress, version, ...times, result, error: null, links };
  }
}

const jobs = new Map<string, Job>();

/** Makes a job, and starts it. */
export function submitJob(): Job {
  const job = new Job();
  jobs.set(job.jobId, job);
  job.start();
  return job;
}

export const findJob = (jobId: string): Job | undefined => jobs.get(jobId);

/** How long a long poll may be held, in milliseconds, by its header `Prefer: wait=N`. */
export const waitMs = (prefer: unknown): number => Number(/wait=(\d+)/.exec(String(prefer))?.[1] ?? 0) * 1000;
