// Errors that nobody awaits: an unhandled rejection, a throw in a timer. They fail a cell all the same.
import { Cell } from './cell.js';
import { type ErrorContent, StrayError, toErrorContent } from './traceback.js';

export type StrayKind = 'UnhandledRejection' | 'UncaughtException';

export class Strays {
  /** The first that came while no cell ran: the next execution fails with it. A timer may bring them without end. */
  private late: ErrorContent | undefined;
  private readonly known = new WeakSet<object>();

  /** `running`: the cell that runs now. `publish` shows an error under a cell that has ended. */
  constructor(
    private readonly running: () => Cell | undefined,
    private readonly publish: (error: ErrorContent, cell: Cell | undefined) => void,
  ) {
    process.on('unhandledRejection', (reason) => this.add('UnhandledRejection', reason));
    process.on('uncaughtException', (error) => this.add('UncaughtException', error));
    this.refuseExit();
  }

  /** Hands over the first that came since the last time. */
  take(): ErrorContent | undefined {
    const { late } = this;
    this.late = undefined;
    return late;
  }

  /** Says that this error is dealt with, should it turn up here too. */
  ignore(error: object): void {
    this.known.add(error);
  }

  private add(kind: StrayKind, reason: unknown): void {
    if (typeof reason === 'object' && reason !== null) {
      if (this.known.has(reason)) return;
      this.known.add(reason);
    }
    const cause = Cell.current();
    const running = this.running();
    const blamed = cause?.running ? cause : running;
    const error = describe(kind, reason, cause);
    // It fails the cell that caused it if that still runs, else the one that runs now.
    const stray = new StrayError(error);
    this.ignore(stray); // what the cell awaits is rejected with it, and some of that nobody catches
    if (blamed?.fail(stray)) return;
    this.publish(error, cause ?? running);
    if (!blamed) this.late ??= error;
  }

  /** A cell that ended the kernel would take the reader's work, and the verdict, with it. */
  private refuseExit(): void {
    process.exit = (code) => {
      const error = new Error(
        `process.exit(${code ?? ''}) was called. It would end the kernel and all its variables. ` +
          'To end the cell, throw an error or return from a function.',
      );
      error.name = 'ProcessExit';
      this.ignore(error); // below it is thrown as well, and may end up with us again
      const cell = Cell.current()?.running ? Cell.current() : this.running();
      // At once, lest a `catch` in the cell hide it. One that fails already stays as it is.
      if (cell) cell.fail(error);
      else {
        const content = toErrorContent(error);
        this.publish(content, Cell.current());
        this.late ??= content;
      }
      throw error;
    };
  }
}

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
