import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Problem } from '../shared/problem.mjs';
import type { Annotations } from './notebook.js';
import type { CellResult, Failure } from './result.js';

/** -E ignores PYTHONPATH and PYTHONHOME, which are set for another Python. -B writes no cache files. -u does not buffer. */
const EXECUTE = ['-E', '-B', '-u', join(import.meta.dirname, 'execute.py')];
const STOP_MS = 5_000;
const TAIL = 8_000;

/** One notebook to execute; the fields are explained in execute.py. */
export interface Order {
  id: number;
  path: string;
  text: string;
  out: string;
  cwd: string;
  mark: string;
  env: Record<string, string>;
  probe: { file: string; url: string } | null;
  /** The folder of the kernelspecs, and which of them. */
  kernels: string;
  kernel: string;
  cellSeconds: number;
  notebookSeconds: number;
  sources: Record<string, string>;
  cells: Record<string, Annotations>;
}

export type Event =
  | { id: number; event: 'starting' | 'settling' }
  | { id: number; event: 'kernel'; pid: number }
  | { id: number; event: 'ready'; ms: number }
  | { id: number; event: 'cell'; index: number }
  | {
      id: number;
      event: 'ended';
      index: number;
      status: CellResult['status'];
      ms: number;
      count: number | null;
    }
  | {
      id: number;
      event: 'done';
      failure: Omit<Failure, 'line'> | null;
      leaks: string[];
      ms: number;
    }
  | { id: number; event: 'broken'; message: string };

/** One Python process, in which nbclient executes every notebook. */
export class Executor {
  #child: ChildProcessWithoutNullStreams;
  #closed: Promise<unknown>;
  #listeners = new Map<number, { onEvent: (event: Event) => void; fail: (error: Error) => void }>();
  #said = '';
  #lost: Error | null = null;
  #folder: string;
  #mark: string;
  #python: string;

  private constructor(python: string, mark: string, folder: string, starts: number) {
    this.#python = python;
    this.#mark = mark;
    this.#folder = folder;
    this.#child = spawn(python, [...EXECUTE, '--mark', mark, '--starts', String(starts)], {
      env: { ...process.env, JUPYTER_RUNTIME_DIR: folder },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // Ctrl-C in the terminal is for the runner, which then closes stdin
    });
    this.#child.stdin.on('error', () => {}); // told by 'close'
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-TAIL);
    });
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve)).then(() => {
      this.#lost = new Error(`The executing Python process ended.\n${this.#said}`);
      for (const { fail } of this.#listeners.values()) fail(this.#lost);
      this.#listeners.clear();
    });
  }

  /**
   * Starts Python and waits until its imports are done. `mark` is the environment variable that marks the processes of
   * the run, `NAME=value`. `folder` belongs to the run, and is removed at its end, however that comes. `starts` is how
   * many kernels may start at once.
   */
  static async start(python: string, mark: string, folder: string, starts: number): Promise<Executor> {
    const executor = new Executor(python, mark, folder, starts);
    try {
      await executor.#ready();
    } catch (error) {
      await executor.close();
      throw error;
    }
    return executor;
  }

  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        const message = JSON.parse(line) as Event | { event: 'ready'; id?: undefined };
        if (message.id === undefined) resolve();
        else this.#listeners.get(message.id)?.onEvent(message);
      });
      this.#child.on('error', reject);
      void this.#closed.then(() => reject(new Problem(`Python could not start the executor.\n${this.#said}`)));
    });
  }

  /** Executes one notebook; resolves with the event `done` or `broken`. */
  execute(order: Order, onEvent: (event: Event) => void): Promise<Extract<Event, { event: 'done' | 'broken' }>> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      const finish = (event: Extract<Event, { event: 'done' | 'broken' }>) => {
        this.#listeners.delete(order.id);
        resolve(event);
      };
      this.#listeners.set(order.id, {
        onEvent: (event) => (event.event === 'done' || event.event === 'broken' ? finish(event) : onEvent(event)),
        fail: reject,
      });
      this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    });
  }

  /** Ends Python, and every kernel with it. Kills the processes of the run that are left after that. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#closed.finally(() => clearTimeout(timer));
    if (this.#child.exitCode !== 0) {
      const sweep = spawn(this.#python, [...EXECUTE, '--mark', this.#mark, '--sweep'], {
        stdio: 'ignore',
      });
      await once(sweep, 'close');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
