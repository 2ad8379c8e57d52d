/** The events of a job, in the order in which they can happen. */
export type EventName = 'queued' | 'started' | 'progress' | 'succeeded' | 'failed' | 'cancelled';

/** One entry of the log. */
export interface LogEvent {
  /** The position in the log: 1, 2, 3 and so on, one sequence for the whole server. */
  seq: number;
  /** The position of the same job's event before this one; 0 for a job's first event. */
  prev: number;
  jobId: string;
  event: EventName;
  /** JSON text, on one line: JSON escapes the newlines inside strings, so that none can end a `data` field early. */
  data: string;
  /** RFC 3339. */
  at: string;
}

/** A position before every event of this log: a reader that starts here is told of a gap. */
export const NOWHERE = -1;

/**
 * Event ids as clients see them: opaque to them. They name the store as well as the position, so that an id from a
 * store that no longer exists is recognized and answered with a gap, not with another store's events.
 */
export class Ids {
  constructor(private readonly store: { name: string; earlier?: readonly { name: string; end: number }[] }) {}

  /** An event keeps its id when the store takes another name. */
  of(seq: number): string {
    return `${(this.store.earlier?.find(({ end }) => seq <= end) ?? this.store).name}-${seq}`;
  }

  /** The position that an id names: {@link NOWHERE} for one that was lost or is another store's; null for text that is no id. */
  read(id: string): number | null {
    const [, name, digits] = /^([a-z0-9]{8})-(0|[1-9]\d{0,14})$/.exec(id) ?? [];
    if (name === undefined) return null;
    const end = this.store.earlier?.find((one) => one.name === name)?.end ?? NOWHERE;
    return name === this.store.name || Number(digits) <= end ? Number(digits) : NOWHERE;
  }
}

/** Server-sent events, framed for the wire (WHATWG HTML, section 9.2.5). A blank line dispatches each. */
export const frame = (events: readonly LogEvent[], ids: Ids): string =>
  events.map(({ seq, event, data }) => `id: ${ids.of(seq)}\nevent: ${event}\ndata: ${data}\n\n`).join('');

/** The same events as a JSON array. `data` is JSON already. */
export const eventsJson = (events: readonly LogEvent[], ids: Ids): string =>
  `[${events.map(({ seq, event, data, at }) => `{"id":"${ids.of(seq)}","event":"${event}","data":${data},"at":"${at}"}`).join(',')}]`;
