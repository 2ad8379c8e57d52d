// Errors that nobody awaits: an unhandled rejection, a throw in a timer. They fail a cell all the same.
import { Cell } from './cell.js';
import { listenToProcess } from './process-events.js';
import type { Header } from './protocol.js';
import { cellOf, type ErrorContent, StrayError, toErrorContent } from './traceback.js';

export type StrayKind = 'UnhandledRejection' | 'UncaughtException';

/** An error that belongs to no running cell. `from`: the cell that caused it, where that is known. */
export interface Late {
  error: ErrorContent;
  from: Header | undefined;
}

export class Strays {
  /** The first that came while no cell ran: the next execution fails with it. A timer may bring them without end. */
  private late: Late | undefined;
  /** Errors that the kernel itself threw into a cell, and that cell: they may come back as errors that nobody awaits. */
  private readonly thrownInto = new WeakMap<object, Cell | undefined>();
  /** Set while handlers of `beforeExit` and `exit` run, which may end the process: it ends anyway. */
  exitAllowed = false;

  /** `running`: the cell that runs now. `publish` shows an error under a cell that has ended. */
  constructor(
    private readonly running: () => Cell | undefined,
    private readonly publish: (error: ErrorContent, cell: Header | undefined) => void,
  ) {
    listenToProcess({
      unhandled: (reason) => this.add('UnhandledRejection', reason),
      uncaught: (error) => this.add('UncaughtException', error),
    });
    this.refuseExit();
  }

  /** Hands over the first that came since the last time. */
  take(): Late | undefined {
    const { late } = this;
    this.late = undefined;
    return late;
  }

  /** Says that the kernel throws this error into this cell: there it is no news when it turns up here too. */
  ignore(error: object, cell: Cell | undefined): void {
    this.thrownInto.set(error, cell);
  }

  private add(kind: StrayKind, reason: unknown): void {
    const cause = causeOf(reason);
    if (this.isKnown(reason, cause ?? this.running())) return;
    this.fail(describe(kind, reason, cause), reason, cause);
  }

  /**
   * Fails the cell that caused an error if it still runs, else the cell that runs now. If none runs, the error is shown
   * under its cell and kept for the next. `error` describes what was `thrown`; `cause` is undefined where no cell is known.
   */
  fail(error: ErrorContent, thrown: unknown, cause: Cell | undefined): void {
    const running = this.running();
    const blamed = cause?.running ? cause : running;
    // An unknown cause is told as unknown (null): the error of an earlier cell must not pass for the running cell's own.
    const stray = new StrayError(error, cause === blamed ? undefined : (cause?.header ?? null));
    this.ignore(stray, blamed); // the promises that the cell awaits are rejected with it, and some of them have no handler
    if (blamed?.fail(stray, thrown)) return;
    // A further error of a cell that fails already is shown under that cell.
    if (cause !== undefined && cause === blamed) this.publish(error, cause.header);
    else this.keep(error, cause ?? running);
  }

  private keep(error: ErrorContent, cell: Cell | undefined): void {
    this.publish(error, cell?.header);
    this.late ??= { error, from: cell?.header };
  }

  /** Whether this event is what its cell is failing with already. The same error in another cell is another event. */
  private isKnown(reason: unknown, cell: Cell | undefined): boolean {
    if (cell?.isEndingWith(reason)) return true;
    const thrown = typeof reason === 'object' && reason !== null && this.thrownInto.has(reason);
    return thrown && this.thrownInto.get(reason) === cell;
  }

  /** A cell that ended the kernel would take the reader's work, and the verdict, with it. */
  private refuseExit(): void {
    process.exit = (code) => {
      if (this.exitAllowed) {
        if (code !== undefined && code !== null) process.exitCode = code;
        return undefined as never;
      }
      const error = new Error(
        `process.exit(${code ?? ''}) was called. It would end the kernel and all its variables. ` +
          'To end the cell, throw an error or return from a function.',
      );
      error.name = 'ProcessExit';
      const cause = causeOf(error);
      this.ignore(error, cause ?? this.running()); // it is also thrown below, and may come back as an unhandled error
      // Before it is thrown, for the cell may catch it. A cell that fails already stays as it is.
      if (cause !== undefined && cause === this.running()) cause.fail(error);
      else this.fail(toErrorContent(error), error, cause);
      throw error;
    };
  }
}

/** The cell that an error belongs to. Callbacks without a cell's context are known by their stack (a process that ends). */
const causeOf = (error: unknown): Cell | undefined => Cell.current() ?? Cell.named(cellOf(error));

function describe(kind: StrayKind, reason: unknown, cause: Cell | undefined): ErrorContent {
  const { ename, evalue, traceback } = toErrorContent(reason);
  const from = cause ? ` from ${cause.name}` : '';
  const what =
    kind === 'UnhandledRejection'
      ? `A promise${from} was rejected, and nothing awaits or catches it.`
      : `An error was thrown${from} in a callback, where nothing can catch it.`;
  return {
    ename: kind,
    evalue: `${ename}: ${evalue}`,
    traceback: [`${kind}: ${what}`, ...traceback],
  };
}
