import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { endProgram, type NotStarted, ownFolder, startProgram } from './own-server.js';

/** An engine that was started here: a Valkey or a Redis, whose log several servers share. */
export interface OwnEngine {
  /** For a client, and for a server's flag `engine`: `redis://127.0.0.1:23456/0`. */
  url: string;
  /** The program that runs, with its path. */
  program: string;
  /** For the flag `data` of servers on this engine, which have to share a folder for uploads. */
  data: string;
  /** Kills it, with all that it holds. Resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts an engine for this kernel alone, on a free port of loopback, and says which. Each write is on the disk before it is
 * acknowledged. The engine ends with the kernel, also when that is killed. Null, with the remedy, where no engine is found.
 *
 * @throws in continuous integration (`CI` is set), where no engine means that something is not tested.
 * @example
 * const engine = await openEngine();
 * const servers = engine && [await startServer({ engine: engine.url, data: engine.data, 'server-name': 'a' })];
 */
export async function openEngine(): Promise<OwnEngine | null> {
  const folder = ownFolder();
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const args = [join('scripts', 'cluster', 'keep-engine.ts'), join(folder, 'engine')];
  const started = await startProgram('engine', args).catch((error: NotStarted) => {
    remove();
    if (error.exitCode !== 2 || process.env.CI) throw error;
    console.log(`SKIPPED: the sections that need an engine. ${error.said} Then restart the kernel.`);
    return null;
  });
  if (!started) return null;
  const { child, ready } = started;
  const [url, program] = ready.split(/ (.*)/) as [string, string];
  process.once('exit', remove);
  console.log(`Engine: ${program}, which this notebook has started; it ends with the kernel`);
  return {
    url,
    program,
    data: join(folder, 'data'),
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
