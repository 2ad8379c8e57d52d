// One execution of a cell: what belongs to it, and how it ended.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Header } from './protocol.js';

/** Follows the work that a cell starts, through awaits, timers and callbacks. */
const context = new AsyncLocalStorage<Cell>();
const { setImmediate } = globalThis; // a cell may put a clock of its own in its place

/** The value of a cell's last expression, if it ends with one. */
export type Result = { value: unknown } | undefined;

export class Cell {
  /** Settles when the cell's code has ended, or with the first thing that makes it fail. */
  readonly outcome: Promise<Result>;
  private resolve!: (value: Result) => void;
  private reject!: (reason: unknown) => void;
  private settled = false;
  private stoppedAt: number | undefined;
  /** Rejects what the cell's code awaits now. */
  readonly waiting = new Set<(reason: unknown) => void>();

  constructor(
    readonly name: string,
    readonly header: Header,
  ) {
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** The cell that the JavaScript running now belongs to. */
  static current(): Cell | undefined {
    return context.getStore();
  }

  get running(): boolean {
    return !this.settled;
  }

  /** Runs the cell's code. Where an interrupt cuts that off, this does not return. */
  run(code: () => Promise<Result>): void {
    context.run(this, () => {
      code().then(
        // One turn later, so that a rejection which the code left behind still counts.
        (result) => setImmediate(() => this.end(() => this.resolve(result))),
        (reason) => this.end(() => this.reject(reason)),
      );
    });
  }

  /** Milliseconds since the cell was made to fail from outside its own code; 0 if it was not. */
  get stoppedFor(): number {
    return this.stoppedAt === undefined ? 0 : performance.now() - this.stoppedAt;
  }

  /** Ends the cell from outside its code, and what that awaits. False if it had ended before. */
  fail(reason: unknown): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.stoppedAt = performance.now();
    for (const stop of this.waiting) stop(reason);
    // One turn later, so that what its `finally` shows is still its own.
    setImmediate(() => this.reject(reason));
    return true;
  }

  private end(settle: () => void): void {
    if (this.settled) return;
    this.settled = true;
    settle();
  }
}
