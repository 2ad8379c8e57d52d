// One execution of a cell: what belongs to it, and how it ended.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Header } from './protocol.js';

/** Follows the work that a cell starts, through awaits, timers and callbacks. */
const context = new AsyncLocalStorage<Cell>();
// Bound before any cell runs, for a cell may put something else in their place.
const runIn = context.run.bind(context);
const getStore = context.getStore.bind(context);
const now = performance.now.bind(performance);

/** So many of the latest cells are found by their names. */
const MAX_NAMED = 1000;
const named = new Map<string, Cell>();

/** The value of a cell's last expression, if it ends with one. */
export type Result = { value: unknown } | undefined;

export class Cell {
  /** Settles when the cell's code has ended, or with the first thing that makes it fail. */
  readonly outcome: Promise<Result>;
  private resolve!: (value: Result) => void;
  private reject!: (reason: unknown) => void;
  private settled = false;
  /** What it fails with, until its end is told. */
  private ending: { cause: unknown } | undefined;
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
    named.set(name, this);
    if (named.size > MAX_NAMED) named.delete(named.keys().next().value!);
  }

  /** The cell that the JavaScript running now belongs to. */
  static current(): Cell | undefined {
    return getStore();
  }

  /** The cell of this name, the latest if there are more. */
  static named(name: string): Cell | undefined {
    return named.get(name);
  }

  get running(): boolean {
    return !this.settled;
  }

  /** Runs the cell's code. Where an interrupt cuts that off, this does not return. */
  run(code: () => Promise<Result>): void {
    runIn(this, () => {
      code().then(
        // One turn later, so that a rejection which the code left behind still counts.
        (result) => setImmediate(() => this.succeed(result)),
        (reason) => this.endWith(reason, reason),
      );
    });
  }

  /** Milliseconds since the cell was made to fail from outside its own code; 0 if it was not. */
  get stoppedFor(): number {
    return this.stoppedAt === undefined ? 0 : now() - this.stoppedAt;
  }

  /**
   * Ends the cell from outside its code, and what that awaits. False if it had ended before.
   * `cause`: what was thrown, where `reason` only carries it.
   */
  fail(reason: unknown, cause = reason): boolean {
    if (this.settled) return false;
    this.stoppedAt = now();
    for (const stop of this.waiting) stop(reason);
    this.endWith(reason, cause);
    return true;
  }

  /** Whether the cell fails with this error, and its end has not been told yet. */
  isEndingWith(cause: unknown): boolean {
    return this.ending !== undefined && this.ending.cause === cause;
  }

  private endWith(reason: unknown, cause: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.ending = { cause };
    // One turn later: what a `finally` of the cell shows is still the cell's, and other promises that were rejected with
    // the same error are not told as further errors.
    setImmediate(() => {
      this.ending = undefined;
      this.reject(reason);
    });
  }

  private succeed(result: Result): void {
    if (this.settled) return;
    this.settled = true;
    this.resolve(result);
  }
}
