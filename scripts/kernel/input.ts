// `process.stdin` of the cells: what a cell reads from it, the reader is asked for.
// https://jupyter-client.readthedocs.io/en/stable/messaging.html#messages-on-the-stdin-router-dealer-channel
import readline from 'node:readline';
import readlinePromises from 'node:readline/promises';
import { Readable } from 'node:stream';
import { Cell } from './cell.js';

/** How often a cell that reads is looked at: does it wait for what it reads? */
const LOOK_MS = 50;

interface Interface {
  input?: unknown;
  output?: unknown;
}

export class Input {
  private readonly stream = new Readable({ read: () => this.look() });
  /** Whether a request is out, and for which cell. */
  private asked: Cell | undefined;
  /** Once there are questions, these alone say when a line is wanted: between them, readline reads on. */
  private hasQuestions = false;

  /**
   * `running`: the cell that runs now; its client is asked. `mayAsk` says whether that client allows it, and `ask` sends it
   * an `input_request`. `fail` is told where nobody can be asked, and the cell that reads has ended.
   */
  constructor(
    private readonly running: () => Cell | undefined,
    private readonly mayAsk: () => boolean,
    private readonly ask: (prompt: string) => void,
    private readonly fail: (error: Error, cause: Cell | undefined) => void,
  ) {}

  /** Puts the stream where cells find it. */
  capture(): void {
    Object.defineProperty(process, 'stdin', { value: this.stream, configurable: true, enumerable: true });
    const hear = (asking: Interface, question: string) => this.question(asking, question);
    for (const { prototype } of [readline.Interface, readlinePromises.Interface] as unknown as {
      prototype: { question(this: Interface, query: string, ...rest: unknown[]): unknown };
    }[]) {
      const { question } = prototype;
      prototype.question = function (query, ...rest) {
        hear(this, query);
        return question.call(this, query, ...rest);
      };
    }
  }

  /** The reader's line. One that comes when its cell has ended is no answer to anything. */
  answer(text: string): void {
    const asked = this.asked;
    this.asked = undefined;
    if (asked?.running) this.stream.push(`${text}\n`);
  }

  private question(asking: Interface, query: string): void {
    if (asking.input !== this.stream) return;
    this.hasQuestions = true;
    // With an output, readline writes the question there.
    const cause = Cell.current();
    setImmediate(() => this.request(cause, asking.output ? '' : query));
  }

  /** A cell reads. It may only have made a readline, to use it later: so it is asked for a line once it waits. */
  private look(): void {
    const cell = this.running();
    const cause = Cell.current() ?? cell;
    if (this.hasQuestions || !cell) return;
    const timer = setInterval(() => {
      if (!this.hasQuestions && cell.running && cell.waiting.size === 0) return;
      clearInterval(timer);
      if (!this.hasQuestions && cell.running && !this.stream.isPaused()) this.request(cause, '');
    }, LOOK_MS);
    timer.unref();
  }

  /** `cause`: the cell that reads, which may have ended; then the client of the cell that runs now is asked. */
  private request(cause: Cell | undefined, prompt: string): void {
    if (this.asked?.running) return;
    const cell = this.running();
    if (cell?.running && this.mayAsk()) {
      this.asked = cell;
      this.ask(prompt);
      return;
    }
    const error = new Error(
      'The cell reads a line from its reader, and this client does not ask for one. Run it in JupyterLab, or give the value to the cell.',
    );
    error.name = 'StdinNotImplementedError'; // as clients of Jupyter know it
    if (!cause?.fail(error)) this.fail(error, cause);
  }
}
