import type { Delivery } from './log/delivery.js';
import type { JobRecord } from './log/log.js';
import { THE_END, type Topic } from './log/topic.js';

/** No more clients may wait. */
export class TooManyWaiters extends Error {}

/** A client that waits: a long poll, a consumer, an event stream. */
export interface Waiter {
  /** Answers it now: the server stops. */
  release(): void;
}

/** What a client waits for may come too late: it has left. */
export interface Client {
  readonly ended: boolean;
  /** Calls back when it has ended; at once if it has. */
  onEnd(callback: () => void): void;
}

/** The clients that wait. One set serves the count, the limit, and the release of all of them. */
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

  /** Error: {@link TooManyWaiters}. */
  admit(): void {
    if (this.admits) return;
    const reason = this.stopped ? 'The server is stopping' : `${this.count} clients are waiting, and no more may`;
    throw new TooManyWaiters(`${reason}. Try again soon, or ask without waiting.`);
  }

  enter(waiter: Waiter): void {
    this.waiters.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.waiters.delete(waiter);
  }

  /**
   * Holds an answer until a topic has `min` events past a cursor, has ended, or the time is up. A client that leaves is
   * forgotten: the promise is never kept. Error: {@link TooManyWaiters}.
   */
  hold(client: Client, topic: Topic, after: number, min: number, seconds: number): Promise<void> {
    if (topic.satisfies(after, min) || seconds === 0) return Promise.resolve();
    return new Promise((resolve) => {
      if (client.ended) return; // the client left while its job was stored, say
      this.admit();
      const waiter = this.delivery.wait(topic, after, min, seconds * 1000, () => {
        this.leave(waiter);
        resolve();
      });
      this.enter(waiter);
      client.onEnd(() => {
        waiter.abandon();
        this.leave(waiter);
      });
    });
  }

  /** Holds an answer until a job has ended, or the time is up. */
  holdForEnd(client: Client, { events }: JobRecord, seconds: number): Promise<void> {
    return this.hold(client, events, events.head, THE_END, seconds);
  }

  /** Answers all who wait, and lets nobody wait any more. */
  stop(): void {
    this.stopped = true;
    for (const waiter of this.waiters) {
      this.leave(waiter);
      waiter.release();
    }
  }
}
