import { Problem } from '../shared/problem.mjs';
import { type Name, type Server, startServer } from './measured-servers.js';
import { median } from './median.js';
import type { Figures } from './workloads/figures.js';
import type { Row, Workload } from './workloads.js';

/** What was measured of a workload: for each server the figures of each round. */
export type Measured = Partial<Record<Name, Figures[]>>;

/** A row, with what was measured for it. */
export interface Line {
  workload: string;
  about: string;
  what: string;
  unit: string;
  ours: number;
  against: { name: string; value: number } | null;
  /** Of ours to the other: the median of the rounds' own ratios. */
  ratio: number | null;
  /** The least and the largest of these ratios. */
  spread: [least: number, most: number] | null;
  aim: number;
  more: boolean;
  met: boolean;
  /** The same ratio of each other server to the floor; empty where the row is not beside the floor. */
  others: Partial<Record<Name, number>>;
}

/**
 * Measures a workload in rounds, each server once in each, so that other load on the machine falls on all of them. Every
 * measurement starts its server anew, except in a workload with steps: its servers start once and stay warm.
 */
export async function measure(workload: Workload, servers: Name[], options: Options): Promise<Measured> {
  if (workload.steps) return measureInSteps(workload.steps, workload, servers, options);
  const measured: Measured = {};
  for (let round = 0; round < options.rounds; round++) {
    // Another one first in each round.
    for (let n = 0; n < servers.length; n++) {
      options.signal.throwIfAborted();
      const name = servers[(n + round) % servers.length] as Name;
      const server = await startServer(name, options.signal);
      try {
        const figures = await inTime(
          workload.measure(server, options.clients),
          `${workload.name}, ${name}`,
          options.signal,
        );
        measured[name] = [...(measured[name] ?? []), figures];
        tell(round, name, figures, options);
      } catch (error) {
        options.signal.throwIfAborted(); // the server was stopped, and its clients failed because of that
        throw error;
      } finally {
        await server.stop();
      }
    }
  }
  return measured;
}

/** How many rounds of steps warm the servers up, and are not counted. A step may do its work several times. */
const WARM_ROUNDS = 1;

/** Measures a workload whose servers all run at once: in each round, each does a step before any does the next one. */
async function measureInSteps(
  steps: NonNullable<Workload['steps']>,
  { name: workload }: Workload,
  names: Name[],
  options: Options,
): Promise<Measured> {
  const { rounds, clients, signal } = options;
  const measured: Measured = {};
  const running: { name: Name; server: Server }[] = [];
  try {
    for (const name of names) running.push({ name, server: await startServer(name, signal) });
    for (let round = -WARM_ROUNDS; round < rounds; round++) {
      const all = running.map(() => ({}) as Figures);
      for (const step of steps) {
        for (let n = 0; n < running.length; n++) {
          signal.throwIfAborted();
          const at = (n + round + WARM_ROUNDS) % running.length;
          const { name, server } = running[at]!;
          Object.assign(all[at]!, await inTime(step(server, clients), `${workload}, ${name}`, signal));
        }
      }
      for (const [at, { name }] of running.entries()) {
        if (round < 0) continue;
        measured[name] = [...(measured[name] ?? []), all[at]!];
        tell(round, name, all[at]!, options);
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()));
  }
  return measured;
}

interface Options {
  rounds: number;
  clients: number;
  signal: AbortSignal;
  say: (line: string) => void;
}

function tell(round: number, name: Name, figures: Figures, { say }: Options): void {
  const told = Object.entries(figures).map(([figure, value]) => `${figure} ${value.toFixed(2)}`);
  say(`  round ${round + 1}, ${name}: ${told.join(', ')}`);
}

/** Much longer than a sound measurement takes. */
const LIMIT_MS = 180_000;

/** Rejects when the work takes too long, or is to stop: a reader of a server that has stopped would wait forever. */
export function inTime<T>(work: Promise<T>, what: string, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const message = `${what}: not done after ${LIMIT_MS / 1000} s. Try again with fewer --clients.`;
    const timer = setTimeout(() => reject(new Problem(message, { exitCode: 1 })), LIMIT_MS);
    const stop = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop);
    work.then(resolve, reject).finally(stop); // settled by then: the rejection has no effect
  });
}

/** `over` makes one number of those of the rounds. Default: their median. */
export function linesOf(
  { name, about, rows }: Workload,
  measured: Measured,
  over: (values: number[], row: Row) => number = median,
): Line[] {
  const of = (server: Name, figure: string) => measured[server]?.map((figures) => figures[figure] as number) ?? [];
  return rows.map((row: Row) => {
    const { what, unit, figure, against, aim, more = false } = row;
    const other = against ? of(against.server, against.figure ?? figure) : [];
    // A round's own ratio: whatever slowed the machine down in that round slowed down both.
    const ratiosOf = (server: Name) => of(server, figure).map((value, round) => value / other[round]!);
    const ratioOf = (server: Name) => over(ratiosOf(server), row);
    const ours = against ? median(of('ours', figure)) : over(of('ours', figure), row);
    const ratio = against && ratioOf('ours');
    const ratios = ratiosOf('ours');
    const spread: Line['spread'] = against && [Math.min(...ratios), Math.max(...ratios)];
    const isOther = (server: Name) => against?.server === 'floor' && !['floor', 'ours'].includes(server);
    const others = (Object.keys(measured) as Name[]).filter(isOther);
    return {
      workload: name,
      ...{ about, what, unit, ours, aim, more, ratio, spread },
      against: against && { name: against.name ?? against.server, value: median(other) },
      met: more ? (ratio ?? ours) >= aim : (ratio ?? ours) <= aim,
      others: Object.fromEntries(others.map((server) => [server, ratioOf(server)])),
    };
  });
}
