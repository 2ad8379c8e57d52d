/** A job as the server tells it. Times are RFC 3339, in UTC. */
export interface Job {
  jobId: string;
  kind: 'video' | 'simulated' | 'manual';
  state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  /** 0 to 1, never backwards. */
  progress: number;
  /** One more with every change; also the ETag. */
  version: number;
  createdAt: string;
  startedAt: string | null;
  /** When it succeeded, failed or was cancelled; null until then. */
  finishedAt: string | null;
  /** When it succeeded: the original response of the task. */
  result: unknown;
  /** When it failed: a problem object (RFC 9457). */
  error: { title: string; detail: string } | null;
  /** Where to go on, as paths on the server. */
  links: { self: string; result: string; events: string };
}

/** What becomes of a video. What cannot be known is null. */
export interface Video {
  bytes: number;
  sha256: string;
  container: string | null;
  codec: string | null;
  width: number | null;
  height: number | null;
  durationMs: number | null;
}
