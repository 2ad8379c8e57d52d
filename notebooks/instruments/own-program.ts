import { rmSync } from 'node:fs';
import { endProgram, type NotStarted, ownFolder, startProgram } from './own-server.js';

/** A program of somebody else that was started here. */
export interface OwnProgram {
  /** What it said when it was ready: its address and its name, with a space between them. */
  address: string;
  program: string;
  /** Its folder, which goes with it. */
  folder: string;
  /** Kills it, with all that it keeps. Resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a program for this kernel alone, in a folder of its own. It ends with the kernel, also when that is killed. Where the
 * program cannot be had (exit code 2), prints the remedy and returns null.
 *
 * @param what what is started, as it is called in errors: `broker`.
 * @param needed what sections need, as it is called in the output: `an engine`.
 * @param argsOf the arguments of Node, for a folder.
 * @param readyMs how long it may take, in milliseconds. Default: that of a server.
 * @throws in continuous integration (`CI` is set) also where the program cannot be had, since something is not tested then.
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
 * @param what what is needed, as a noun with its article. Default: an engine.
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
