import { rmSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { endProgram, type NotStarted, ownFolder, startProgram } from './own-server.js';

/** A program from outside the course that was started for this kernel: an engine, a broker or nginx. */
export interface OwnProgram {
  /** Its address: the first word of the line that it printed when it was ready. */
  address: string;
  /** Its path or name: the rest of that line. */
  program: string;
  /** Its folder. {@link OwnProgram.stop} or the kernel's exit removes it; after a kill, the next program that is started does. */
  folder: string;
  /** Ends the program and removes its folder. Resolves when both are gone. */
  stop(): Promise<void>;
}

/**
 * Starts a program for this kernel alone, in its own folder. It ends when the kernel ends, even if the kernel is killed. If the
 * program is not found (exit code 2), prints what to do and returns null.
 *
 * @param what the program's name in errors, such as `broker`.
 * @param needed what the skipped sections need, as the output names it, such as `an engine`.
 * @param argsOf returns Node's arguments; gets the program's folder.
 * @param readyMs how long the program may take to get ready, in milliseconds. Default: as long as a server may take.
 * @throws if the program does not start; in CI (`CI` is set) also if it is not found, because CI must not skip tests.
 */
export async function openProgram(
  what: string,
  needed: string,
  argsOf: (folder: string) => string[],
  readyMs?: number,
): Promise<OwnProgram | null> {
  const folder = ownFolder();
  // A Java program that is killed may still write for a moment.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  const started = await startProgram(what, argsOf(folder), readyMs).catch((error: NotStarted) => {
    remove();
    if (error.exitCode !== 2 || process.env.CI) throw error;
    console.log(`SKIPPED: the sections that need ${needed}. ${error.said} Then restart the kernel.`);
    return null;
  });
  if (!started) return null;
  const { child, ready } = started;
  const [address, program] = ready.split(/ (.*)/) as [string, string];
  process.once('exit', remove);
  // The output is published with the course, and a path is of this machine alone.
  const name = isAbsolute(program) ? basename(program) : program;
  console.log(`${name}, at ${address}, which this notebook has started; it ends with the kernel`);
  return {
    ...{ address, program, folder },
    async stop() {
      process.off('exit', remove);
      await endProgram(child);
      remove();
    },
  };
}

const skipped: string[] = [];

/**
 * Runs a section that needs an engine, or another program that a notebook starts. Without it, prints which section is skipped,
 * counts it and returns null.
 *
 * @param what the needed program, as a noun with its article. Default: an engine.
 * @example const missed = await ifThere(engine, 'pub/sub', async ({ url }) => count(new Redis(url)));
 */
export async function ifThere<Engine, T>(
  engine: Engine | null,
  section: string,
  work: (engine: Engine) => Promise<T>,
  what = 'an engine',
): Promise<T | null> {
  if (engine) return work(engine);
  if (!skipped.includes(section)) skipped.push(section);
  console.log(`SKIPPED: "${section}" needs ${what}, and none was found (${skipped.length} so far).`);
  return null;
}
