import type { Cursor, Topic } from './topic.js';

/** How many cursors are served before the event loop gets a turn, so that a poll is answered during a fan-out. */
const SLICE = 256;
/** How many of them are kept for cursors that wait for news: readers of a long log come back for more immediately. */
const SLICE_FOR_NEWS = 128;
/** How long a turn serves readers of a long log, in milliseconds: Node accepts one connection a turn of the event loop. */
const STRAGGLERS_MS = 5;

/** Serves the cursors that are behind: some of them in each turn of the event loop, the stalest first. */
export class Delivery {
  /** Topics that have grown since their cursors were visited. */
  private readonly grown = new Set<Topic>();
  /** Cursors that have more to take than one piece, and cursors that were behind when they joined. */
  private readonly stragglers = new Set<Cursor>();
  private scheduled = false;

  join(cursor: Cursor): void {
    cursor.seen = cursor.topic.head;
    const { topic, after, min } = cursor;
    if (topic.head > after && topic.satisfies(after, min)) {
      this.stragglers.add(cursor);
      this.schedule();
    } else topic.queueOf(cursor).add(cursor);
  }

  leave(cursor: Cursor): void {
    cursor.topic.queueOf(cursor).delete(cursor);
    this.stragglers.delete(cursor);
  }

  /** Calls back once: when the topic has `min` events past a cursor, or when the time is up. Not after `abandon()`. */
  wait(topic: Topic, after: number, min: number, ms: number, done: () => void): OneTimeCursor {
    const waiter = new OneTimeCursor(this, topic, after, min, ms, done);
    this.join(waiter);
    return waiter;
  }

  /** Plans a turn for the cursors of a topic that has grown. */
  wake(topic: Topic): void {
    if (topic.readers.size === 0 && !(topic.ended && topic.patient.size > 0)) return;
    this.grown.add(topic);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.turn());
  }

  private turn(): void {
    this.scheduled = false;
    let budget = SLICE;
    const until = performance.now() + STRAGGLERS_MS;
    for (const cursor of this.stragglers) {
      if (budget-- <= SLICE_FOR_NEWS || performance.now() > until) break;
      this.serve(cursor);
    }
    for (const topic of this.grown) {
      this.grown.delete(topic);
      budget = this.visit(topic, budget);
      if (budget > 0) continue;
      this.grown.add(topic); // to the end of the queue: topics take turns, too
      break;
    }
    if (this.grown.size > 0 || this.stragglers.size > 0) this.schedule();
  }

  /** Serves the cursors of a topic that are behind. Returns what is left of the budget. */
  private visit(topic: Topic, budget: number): number {
    for (const cursor of topic.ended ? topic.patient : []) {
      if (budget-- <= 0) return 0;
      this.serve(cursor);
    }
    for (const cursor of topic.readers) {
      if (cursor.seen >= topic.head) break; // the stalest is up to date, and so all are
      if (budget-- <= 0) return 0;
      this.serve(cursor);
    }
    return budget;
  }

  /** Serves a cursor that has what it waits for; any other goes to the end of the queue. */
  private serve(cursor: Cursor): void {
    this.leave(cursor);
    const { topic, after, min } = cursor;
    if (!topic.satisfies(after, min) || cursor.serve()) this.join(cursor);
  }
}

/** A cursor that is served once. A class: there are thousands of them, and closures would take more memory. */
class OneTimeCursor implements Cursor {
  seen = 0;
  private timer: NodeJS.Timeout | null; // null: the wait is over

  constructor(
    private readonly delivery: Delivery,
    readonly topic: Topic,
    readonly after: number,
    readonly min: number,
    ms: number,
    private readonly done: () => void,
  ) {
    // Node keeps one ordered list of timers for each duration, so that one more costs the same however many there are.
    this.timer = setTimeout(() => this.finish(), ms);
  }

  serve(): boolean {
    this.finish();
    return false;
  }

  finish(): void {
    if (this.abandon()) this.done();
  }

  /** Stops waiting, and does not call back. Returns false when the wait is over already. */
  abandon(): boolean {
    if (!this.timer) return false;
    clearTimeout(this.timer);
    this.timer = null;
    this.delivery.leave(this);
    return true;
  }
}
