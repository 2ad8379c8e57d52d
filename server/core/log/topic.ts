import type { LogEvent } from './event.js';
import { textBytes } from './size.js';

/** The `min` of a cursor that wants nothing before the end. */
export const THE_END = Number.POSITIVE_INFINITY;

/**
 * Where a waiting client stands in a topic. A long poll is a cursor that wants the end, a consumer one that wants `min`
 * events, an event stream one that wants every event, a slow reader one that is behind: nothing else is kept for it.
 */
export interface Cursor {
  readonly topic: Topic;
  /** The position of the last event that the client has. */
  after: number;
  /** How many events past `after` it waits for. */
  readonly min: number;
  /** The topic's head when this cursor was last looked at. */
  seen: number;
  /** Takes the events past the cursor. Returns true to be served again. */
  serve(): boolean;
}

/** What an event takes in memory beside its data, in bytes: the object, its time, its place in two lists. */
const EVENT_BYTES = 176;

/** What can be read from the log: the events of one job, or those of all jobs. */
export class Topic {
  /** The position of the newest event. */
  head = 0;
  /** The position of the newest event that is no longer held; 0 when all events are held. */
  trimmed = 0;
  /** No event can follow. */
  ended = false;
  /** What the events that are held take in memory, in bytes. */
  bytes = 0;
  /** Cursors that want more, the stalest first: a cursor that was served goes to the end. */
  readers: Set<Cursor> = NOBODY;
  /** Cursors that want nothing before the end: progress does not wake them. */
  patient: Set<Cursor> = NOBODY;
  private events: LogEvent[] = [];
  private start = 0;

  add(event: LogEvent): void {
    // A list that grows by `push` has room for 17 at once. Most jobs have few events.
    if (this.events.length < 4) this.events = [...this.events, event];
    else this.events.push(event);
    this.bytes += eventBytes(event);
    this.head = event.seq;
  }

  /** The set in which a cursor waits, made for the first one: most jobs have none, and an empty set takes 150 bytes. */
  queueOf({ min }: Cursor): Set<Cursor> {
    if (min === THE_END && this.patient === NOBODY) this.patient = new Set();
    if (min !== THE_END && this.readers === NOBODY) this.readers = new Set();
    return min === THE_END ? this.patient : this.readers;
  }

  get held(): number {
    return this.events.length - this.start;
  }

  get oldest(): LogEvent | undefined {
    return this.events[this.start];
  }

  /** Lets the oldest event go. */
  trim(): LogEvent | undefined {
    const event = this.events[this.start];
    if (!event) return undefined;
    this.trimmed = event.seq;
    this.bytes -= eventBytes(event);
    // One move of the array for many events: shift() would move all of it for each. Until then the array lets the
    // event itself go.
    this.events[this.start] = GONE;
    this.start += 1;
    if (this.start > 512 && this.start * 2 > this.events.length) {
      this.events = this.events.slice(this.start);
      this.start = 0;
    }
    return event;
  }

  /** Whether events past a cursor are no longer held, or the cursor names no position of this log. */
  gap(after: number): boolean {
    return after < this.trimmed;
  }

  /** Whether `min` events stand past a cursor, or no more will. `min` 0 is satisfied at once. */
  satisfies(after: number, min: number): boolean {
    if (this.ended || min === 0) return true;
    return this.head > after && (min === 1 || this.events.length - this.indexAfter(after) >= min);
  }

  /** The events past a cursor: at most `limit` of them, and no more once their data has `maxBytes` bytes. */
  read(after: number, limit: number, maxBytes = Number.POSITIVE_INFINITY): LogEvent[] {
    if (this.head <= after) return [];
    const from = this.indexAfter(after);
    let to = from;
    for (let bytes = 0; to < this.events.length && to - from < limit && bytes < maxBytes; to++)
      bytes += this.events[to]!.data.length;
    return this.events.slice(from, to);
  }

  /** By bisection: positions grow, but a job's have holes between them. */
  private indexAfter(after: number): number {
    let low = this.start;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.events[middle]!.seq <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Stands for the cursors of a topic that none has joined. */
const NOBODY = new Set<Cursor>();

/** Stands in the list for events that were let go. */
const GONE: LogEvent = { seq: 0, prev: 0, jobId: '', event: 'queued', data: '', at: '' };

/** What an event takes in memory, in bytes. */
export const eventBytes = ({ data }: Pick<LogEvent, 'data'>): number => EVENT_BYTES + textBytes(data);
