import { rmSync } from 'node:fs';
import { endProgram, type NotStarted, ownFolder, startProgram } from './own-server.js';

/** A program that is not the course's, started for this kernel: an engine, a broker or nginx. */
export interface OwnProgram {
  /** The first word that it printed when it was ready. `program` is the rest of that line: its path or name. */
  address: string;
  program: string;
  /** Its folder. {@link stop} and the end of the kernel remove it. */
  folder: string;
  /** Ends the program and removes its folder. Resolves when both are gone. */
  stop(): Promise<void>;
}

/**
 * Starts a program for this kernel alone, in its own folder. It ends with the kernel, even a killed one. If the
 * program is not found (exit code 2), prints what to do and returns null.
 *
 * @param what the program's name in errors, such as `broker`.
 * @param needed the name of what sections need, in the output, such as `an engine`.
 * @param argsOf returns Node's arguments; gets the program's folder.
 * @param readyMs how long it may take, in milliseconds. Default: that of a server.
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
  console.log(`${program}, at ${address}, which this notebook has started; it ends with the kernel`);
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
