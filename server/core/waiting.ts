import { unavailable } from '../edge/http/problem.js';

/** Somebody who waits: a long poll, a consumer, an event stream. */
export interface Waiter {
  /** Answers it now: the server stops. */
  release(): void;
}

/** The clients that wait. One set serves the count, the limit, and the release of all of them. */
export class Waiting {
  private readonly waiters = new Set<Waiter>();
  private stopped = false;

  constructor(private readonly max: number) {}

  get count(): number {
    return this.waiters.size;
  }

  /** Whether one more may wait. */
  get admits(): boolean {
    return !this.stopped && this.waiters.size < this.max;
  }

  /** Throws 503 when no more may wait. */
  admit(): void {
    if (this.admits) return;
    const reason = this.stopped ? 'The server is stopping' : `${this.count} clients are waiting, and no more may`;
    throw unavailable(`${reason}. Try again soon, or ask without waiting.`, 1);
  }

  enter(waiter: Waiter): void {
    this.waiters.add(waiter);
  }

  leave(waiter: Waiter): void {
    this.waiters.delete(waiter);
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
