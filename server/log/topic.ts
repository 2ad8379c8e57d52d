import type { Cursor } from './cursor.js';
import type { LogEvent } from './event.js';

/** What can be read from the log: the events of one job, or those of all. */
export class Topic {
  /** The place of the newest event. */
  head = 0;
  /** The place of the newest event that is no longer held; 0 when all are. */
  trimmed = 0;
  /** No event can follow. */
  ended = false;
  /** Cursors that want more, the stalest first: whoever was served goes to the end. */
  readonly readers = new Set<Cursor>();
  /** Cursors that want nothing before the end: progress does not wake them. */
  readonly patient = new Set<Cursor>();
  private events: LogEvent[] = [];
  private start = 0;

  add(event: LogEvent): void {
    this.events.push(event);
    this.head = event.seq;
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
    this.start += 1;
    // One move of the array for many events: shift() would move all of it for each.
    if (this.start > 512 && this.start * 2 > this.events.length) {
      this.events = this.events.slice(this.start);
      this.start = 0;
    }
    return event;
  }

  /** Whether `min` events stand past a place, or no more will. */
  satisfies(after: number, min: number): boolean {
    if (this.ended) return true;
    return this.head > after && (min <= 1 || this.events.length - this.indexAfter(after) >= min);
  }

  /** At most `limit` events past a place. */
  read(after: number, limit: number): LogEvent[] {
    if (this.head <= after) return [];
    const from = this.indexAfter(after);
    return this.events.slice(from, from + limit);
  }

  /** By bisection: places grow, but a job's have holes between them. */
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
