import { join } from 'node:path';
import { type Running, type StartOptions, start } from '../shared/child.mjs';

/** What runs at a terminal. `said` tells what the terminal shows. */
export interface AtTerminal extends Pick<Running, 'process' | 'said' | 'ended'> {
  /** Types Ctrl-C. Resolves when the program has ended. */
  interrupt(): Promise<void>;
}

/**
 * Starts a program at a terminal of its own, as a person does. The terminal is closed when this process ends, also when it is
 * killed with SIGKILL, and what runs at the terminal gets SIGHUP then. `npm start` without a terminal would go on: its parent
 * is npm, which does not notice that a test's process is gone.
 *
 * @param python the Python that runs `terminal.py`.
 */
export function startAtTerminal(
  python: string,
  command: string[],
  options: Pick<StartOptions, 'cwd' | 'env'> = {},
): AtTerminal {
  const script = join(import.meta.dirname, 'terminal.py');
  const child = start(python, [script, ...command], { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const interrupt = async () => {
    child.process.stdin!.write('\x03');
    await child.ended;
  };
  return { process: child.process, said: child.said, ended: child.ended, interrupt };
}
