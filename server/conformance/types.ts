import type { Technique } from '../techniques.js';

/**
 * The shapes that the contract promises. Written here anew, not imported from the server: these tests fit any server.
 * Only the names of the techniques are those of the one list, and only as a type.
 */

export type State = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface Job {
  jobId: string;
  kind: string;
  state: State;
  progress: number;
  version: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  result: unknown;
  error: Problem | null;
  links: { self: string; result: string; events: string };
}

export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
}

/** An event as the JSON of `…/events` tells it. */
export interface EventRecord {
  id: string;
  event: string;
  data: EventData;
  at: string;
}

export interface EventData {
  jobId: string;
  progress: number;
  version: number;
  result?: unknown;
  error?: Problem;
  [passedOn: string]: unknown;
}

export interface EventPage {
  events: EventRecord[];
  next: string;
  gap?: { oldest: string | null };
}

export interface JobPage {
  jobs: Job[];
  next: string | null;
}

export interface Row {
  method: string;
  route: string;
  experiment: string | null;
  technique: Technique;
  status: number | null;
  arrivedAt: string;
  answeredAt: string | null;
  endedAt: string | null;
  bytesIn: number;
  bytesOut: number;
  events: number;
  connection: unknown;
  protocol: string;
  server: string;
}

export interface Total {
  requests: number;
  bytesIn: number;
  bytesOut: number;
  events: number;
  open: number;
}

export interface Traffic {
  requests: Row[];
  totals: Partial<Record<Technique, Total>>;
}
