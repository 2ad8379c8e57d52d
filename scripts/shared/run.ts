import { $, type ProcessOutput } from 'zx';
import { own } from './child.mjs';

export interface RunOptions {
  /** Stops the program, and makes `run` reject with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Default: this process's. */
  cwd?: string;
  /** Beside the variables of this process. */
  env?: NodeJS.ProcessEnv;
  /** What the program reads on stdin. Default: nothing. */
  input?: string;
  /** Shows what the program says as it says it. Default: it is kept, as `stdout`, `stderr` and, of both, `stdall`. */
  shown?: boolean;
}

/** An argument as a POSIX shell reads it. */
export const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/**
 * Runs a program to its end, whatever its exit code. The program and all that it started end with this process.
 * @returns zx's output: `exitCode`, and what the program said. 127 is the exit code of a program that is not there.
 */
export async function run(command: string[], options: RunOptions = {}): Promise<ProcessOutput> {
  const { signal, cwd = process.cwd(), env, input, shown = false } = options;
  const program = $({
    // Any POSIX shell; `exec` makes the program the leader of the process group in its place.
    ...{ shell: '/bin/sh', prefix: 'exec ', postfix: '', quote: quoted, detached: true },
    ...{ cwd, env: { ...process.env, ...env }, nothrow: true, quiet: true },
    ...(input === undefined ? {} : { input }),
    stdio: [
      input === undefined ? 'ignore' : 'pipe',
      ...(shown ? (['inherit', 'inherit'] as const) : (['pipe', 'pipe'] as const)),
    ],
  })`${command}`;
  if (program.child) own(program.child, signal);
  const output = await program;
  signal?.throwIfAborted();
  return output;
}
