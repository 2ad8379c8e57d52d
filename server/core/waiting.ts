import type { Delivery } from './log/delivery.js';
import type { JobRecord } from './log/log.js';
import { THE_END, type Topic } from './log/topic.js';

/** No more clients may wait. */
export class TooManyWaiters extends Error {}

/** What a client waits in: a long poll, a consumer, an event stream. */
export interface Waiter {
  /** Ends the wait now, since the server stops: the client is answered, or its stream ends. */
  finish(): void;
}

/** Whether a client can still be answered: it may leave before. */
export interface Presence {
  readonly ended: boolean;
  /** Calls back when the client's exchange has ended; immediately if it has. */
  onEnd(callback: () => void): void;
}

/** The clients that wait. One set serves to count them, to bound them, and to end their waits. */
export class Waiting {
  private readonly waiters = new Set<Waiter>();
  private stopped = false;

  constructor(
    private readonly delivery: Delivery,
    private readonly max: number,
  ) {}

  get count(): number {
    return this.waiters.size;
  }

  /** Whether one more may wait. */
  get admits(): boolean {
    return !this.stopped && this.waiters.size < this.max;
  }

  /** Takes a client in, until it leaves or `leave` is called. Error: {@link TooManyWaiters}. */
  enter(client: Presence, waiter: Waiter): void {
    this.admit();
    this.waiters.add(waiter);
    client.onEnd(() => this.leave(waiter));
  }

  /** Error: {@link TooManyWaiters}. */
  private admit(): void {
    if (this.admits) return;
    const reason = this.stopped ? 'The server is stopping' : `${this.count} clients are waiting, and no more may`;
    throw new TooManyWaiters(`${reason}. Try again soon, or ask without waiting.`);
  }

  leave(waiter: Waiter): void {
    this.waiters.delete(waiter);
  }

  /**
   * Calls `done` when a topic (the events of one job, in order) has `min` events past a cursor (how far a client has
   * read them), has ended, or the time is up; never when the client leaves before. Error: {@link TooManyWaiters}.
   */
  hold(client: Presence, topic: Topic, after: number, min: number, seconds: number, done: () => void): void {
    if (topic.satisfies(after, min) || seconds === 0) return void done();
    if (client.ended) return; // The client may have left while its job was stored.
    this.admit();
    const waiter = this.delivery.wait(topic, after, min, seconds * 1000, () => {
      this.leave(waiter);
      done();
    });
    this.waiters.add(waiter);
    client.onEnd(() => waiter.abandon() && this.leave(waiter));
  }

  /** Calls `done` when a job has ended, or the time is up. Error: {@link TooManyWaiters}. */
  holdForEnd(client: Presence, { events }: JobRecord, seconds: number, done: () => void): void {
    this.hold(client, events, events.head, THE_END, seconds, done);
  }

  /** Answers all clients that wait, and takes in no more. */
  stop(): void {
    this.stopped = true;
    for (const waiter of this.waiters) waiter.finish();
  }
}
