import type { Recorded, Recording } from './read-har.js';
import { isStream, pollings } from './recording-rules.js';

/** One request of a recording, without anything secret. Times are milliseconds since the first request began. */
export interface TimelineRow {
  readonly method: string;
  /** Without the values of its query. */
  readonly url: string;
  /** `short-poll` or `long-poll`: one of five or more GET requests for the same thing. */
  readonly technique: 'short-poll' | 'long-poll' | 'event-stream' | 'other';
  readonly startedAt: number;
  /** How long it waited before it was sent, in milliseconds; null if the recording does not tell. */
  readonly blockedMs: number | null;
  readonly endedAt: number;
  /** 0 if there was no answer. */
  readonly status: number;
  /** The same number for equal bodies; null if the recording has no body of it. */
  readonly body: number | null;
  /** How many events came on it; null if it is no stream, or the recording does not tell. */
  readonly events: number | null;
}

/** The requests of a recording in the order in which they began. */
export function timeline(recording: Recording): TimelineRow[] {
  const polls = new Map<Recorded, boolean>();
  for (const { requests, held } of pollings(recording)) for (const each of requests) polls.set(each, held);
  const bodies = new Map<string, number>();
  const numbered = (body: string) => {
    if (!bodies.has(body)) bodies.set(body, bodies.size + 1);
    return bodies.get(body) as number;
  };
  return recording.requests.map((each) => {
    const held = polls.get(each);
    const polled = held === undefined ? 'other' : held ? 'long-poll' : 'short-poll';
    return {
      ...{ method: each.method, url: each.shown, technique: isStream(each) ? 'event-stream' : polled },
      ...{ startedAt: each.startedAt, blockedMs: each.blockedMs ?? null, endedAt: each.endedAt, status: each.status },
      body: each.body === undefined ? null : numbered(each.body),
      events: each.eventIds?.length ?? null,
    };
  });
}
