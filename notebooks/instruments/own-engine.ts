import { join } from 'node:path';
import { openProgram } from './own-program.js';

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
  const keep = join('scripts', 'cluster', 'keep-engine.ts');
  const engine = await openProgram('engine', 'an engine', (folder) => [keep, join(folder, 'engine')]);
  if (!engine) return null;
  const { address, program, folder, stop } = engine;
  return { url: address, program, data: join(folder, 'data'), stop };
}
