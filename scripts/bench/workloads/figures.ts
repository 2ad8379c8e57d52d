import { cpuUs, idle, pssKiB } from '../accounting.js';
import type { Server } from '../measured-servers.js';

/** What one run of a workload came to. */
export type Figures = Record<string, number>;

/** Processor time, in microseconds, that a server spends on each of so many operations. */
export async function spent(
  server: Server,
  operation: string,
  count: number,
  work: () => Promise<unknown>,
): Promise<number> {
  const before = await cpuUs(server.pids);
  const done = async () => {
    await work();
    await idle(server.pids);
  };
  await (server.watch ? server.watch(operation, count, done) : done());
  return ((await cpuUs(server.pids)) - before) / count;
}

/** Whether a run of a workload measures memory. If it does, its times are not used. */
export type Weigh = 'memory' | 'no memory';

/**
 * Memory in use, in KiB; without 'memory', waits only until the server is idle, and returns NaN. A forced garbage collection also
 * discards compiled code, so the next operations take longer. That is why a run measures either time or memory.
 */
export async function used(server: Server, weigh: Weigh): Promise<number> {
  await idle(server.pids);
  if (weigh === 'no memory') return NaN;
  await server.collect();
  await idle(server.pids);
  return pssKiB(server.pids);
}

/** How many times a server runs a whole workload: first to warm up, then to be measured. */
export const WARM_TIMES = 3;
const TIMES = 6;

/**
 * Repeats a workload on one server, and returns the means of the last {@link TIMES} runs: a garbage collection of the whole heap
 * happens during only some of them, but collects the garbage of all. The first runs cost up to twice as much on a server that runs on Node, because V8 compiles only
 * code that has run often. Memory is that of the first run: later runs reuse memory that earlier ones freed.
 */
export async function whenWarm(run: (weigh: Weigh) => Promise<Figures>): Promise<Figures> {
  const first = await run('memory');
  for (let time = 1; time < WARM_TIMES; time++) await run('no memory');
  const all: Figures[] = [];
  while (all.length < TIMES) all.push(await run('no memory'));
  return { ...meansOf(all), kib: first.kib! };
}

/** The mean of each figure. */
export const meansOf = (all: Figures[]): Figures =>
  Object.fromEntries(
    Object.keys(all[0]!).map((figure) => [figure, all.reduce((sum, one) => sum + one[figure]!, 0) / all.length]),
  );
