// @ts-check
import { Problem } from './problem.mjs';
import { plain } from './visible.mjs';

/** The exit codes of a command that a signal ends: 128 and the signal's number, as a shell has it. */
export const SIGNALS = /** @type {const} */ ({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 });

/**
 * Runs a command from its start to its exit code. A signal aborts it, a second one ends it at once; a
 * {@link Problem} is told in plain words.
 * @param {(signal: AbortSignal) => Promise<number | void>} main resolves with the exit code; with none, it is 0, or
 *   the signal's
 */
export async function runCommand(main) {
  const stopping = new AbortController();
  let code = 0;
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (stopping.signal.aborted) process.exit(number);
      code = number;
      stopping.abort(new Problem(`Stopped by ${name}.`));
    });
  }
  // To write to a terminal that was closed is an error; the command goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    const result = await main(stopping.signal);
    process.exitCode = result ?? code;
  } catch (error) {
    process.exitCode = code || tellError(error);
  }
}

/** Says what went wrong; returns the exit code for it. */
export function tellError(/** @type {unknown} */ error) {
  if (!(error instanceof Problem)) {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    return 1;
  }
  const last = plain(error.details).trimEnd().split('\n').slice(-20);
  if (error.details) process.stderr.write(`${last.map((line) => `  | ${line}`).join('\n')}\n\n`);
  process.stderr.write(`${error.message}\n`);
  return error.exitCode;
}
