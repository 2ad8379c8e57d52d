import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Problem } from '../shared/problem.mjs';
import { kernels as names } from './notebook.js';
import type { CellResult, Failure } from './result.js';

/** -E: what a person has set for a Python of theirs (PYTHONPATH, PYTHONHOME) is not for this one. -B, -u: no files, no delay. */
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
  run: string;
  url: string | null;
  /** The folder of the kernelspecs, and which of them. */
  kernels: string;
  kernel: string;
  cellSeconds: number;
  notebookSeconds: number;
  sources: Record<string, string>;
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

/** The Python environment of a checkout: where set-up put it, or where POLLING_LAB_VENV says. */
export function environment(checkout: string): { python: string; kernels: string } {
  const venv = process.env.POLLING_LAB_VENV ?? join(checkout, '.polling-lab', 'venv');
  const python = join(venv, 'bin', 'python');
  const kernels = join(venv, 'share', 'jupyter', 'kernels');
  for (const needed of [python, ...names.map((name) => join(kernels, name, 'kernel.json'))]) {
    if (!existsSync(needed)) {
      throw new Problem(`${needed} is missing. Run "node scripts/setup.mjs" in ${checkout}.`);
    }
  }
  // Another kernel of that name would be believed, too.
  const launcher = join(checkout, 'scripts', 'kernel', 'launch.cjs');
  for (const name of names) {
    const { argv } = JSON.parse(readFileSync(join(kernels, name, 'kernel.json'), 'utf8'));
    if (argv.includes(launcher)) continue;
    throw new Problem(
      `The kernel "${name}" in ${kernels} is not the one of this checkout. Run "node scripts/setup.mjs" in ${checkout}.`,
    );
  }
  return { python, kernels };
}

/** The one Python process in which nbclient executes every notebook. */
export class Executor {
  #child: ChildProcessWithoutNullStreams;
  #closed: Promise<unknown>;
  #listeners = new Map<number, { onEvent: (event: Event) => void; fail: (error: Error) => void }>();
  #said = '';
  #lost: Error | null = null;
  #folder: string;
  #run: string;
  #python: string;

  private constructor(python: string, run: string, folder: string, starts: number) {
    this.#python = python;
    this.#run = run;
    this.#folder = folder;
    this.#child = spawn(python, [...EXECUTE, '--run', run, '--starts', String(starts)], {
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
   * Starts Python and waits until its imports are done. `folder` is the run's own, and removed at its
   * end, however it ends. `starts`: kernels starting at once.
   */
  static async start(python: string, run: string, folder: string, starts: number): Promise<Executor> {
    const executor = new Executor(python, run, folder, starts);
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

  /** Ends Python and with it every kernel; what of the run still lives after that is killed. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#closed.finally(() => clearTimeout(timer));
    if (this.#child.exitCode !== 0) {
      const sweep = spawn(this.#python, [...EXECUTE, '--run', this.#run, '--sweep'], {
        stdio: 'ignore',
      });
      await once(sweep, 'close');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
