import { Problem } from '../shared/problem.mjs';
import { type Name, startServer } from './measured-servers.js';
import type { Figures, Row, Workload } from './workloads.js';

/** What was measured of a workload: for each server the figures of each round. */
export type Measured = Partial<Record<Name, Figures[]>>;

/** A line of the table. */
export interface Line {
  workload: string;
  about: string;
  what: string;
  unit: string;
  ours: number;
  against: { name: string; value: number } | null;
  /** Of ours to the other: the median of the rounds' own ratios. */
  ratio: number | null;
  aim: number;
  met: boolean;
  /** What nchan took, where it was measured. */
  nchan: number | null;
}

/**
 * Measures a workload in rounds, each server once in each, so that other load on the machine falls on all of them. Every measurement has a server of its own.
 */
export async function measure(
  workload: Workload,
  servers: Name[],
  options: { rounds: number; clients: number; signal: AbortSignal; say: (line: string) => void },
): Promise<Measured> {
  const measured: Measured = {};
  for (let round = 0; round < options.rounds; round++) {
    // Another one first in each round.
    for (let n = 0; n < servers.length; n++) {
      options.signal.throwIfAborted();
      const name = servers[(n + round) % servers.length] as Name;
      const server = await startServer(name, options.signal);
      try {
        const figures = await inTime(workload.measure(server, options.clients), `${workload.name}, ${name}`);
        measured[name] = [...(measured[name] ?? []), figures];
        const told = Object.entries(figures).map(([figure, value]) => `${figure} ${value.toFixed(2)}`);
        options.say(`  round ${round + 1}, ${name}: ${told.join(', ')}`);
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

/** Much longer than a sound measurement takes. */
const LIMIT_MS = 180_000;

async function inTime<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `${what}: not done after ${LIMIT_MS / 1000} s. Try again with fewer --clients.`;
    timer = setTimeout(() => reject(new Problem(message, { exitCode: 1 })), LIMIT_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

export function linesOf({ name, about, rows }: Workload, measured: Measured): Line[] {
  const of = (server: Name, figure: string) => measured[server]?.map((figures) => figures[figure] as number) ?? [];
  return rows.map(({ what, unit, figure, against, aim }: Row) => {
    const ours = of('ours', figure);
    const other = against ? of(against.server, against.figure ?? figure) : [];
    const ratio = against ? median(ours.map((value, round) => value / other[round]!)) : null;
    const nchan = of('nchan', figure);
    return {
      workload: name,
      ...{ about, what, unit },
      ours: median(ours),
      against: against && { name: against.name ?? against.server, value: median(other) },
      ratio,
      aim,
      met: (ratio ?? median(ours)) <= aim,
      nchan: nchan.length && against?.server === 'floor' ? median(nchan) : null,
    };
  });
}

const number = (value: number) =>
  Math.abs(value) < 0.005 ? '0' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);
const withUnit = (value: number, unit: string) => `${number(value)}${unit && ` ${unit}`}`;

/** The table, in Markdown. */
export function table(lines: Line[]): string {
  const rows = lines.map(({ about, what, unit, ours, against, ratio, aim, met, nchan }, n) => {
    const first = lines[n - 1]?.about !== about;
    const cells = [
      first ? about : '',
      what,
      withUnit(ours, unit),
      against ? `${withUnit(against.value, unit)} (${against.name})` : '',
      `${(ratio ?? ours).toFixed(ratio === null ? 0 : 2)}${met ? '' : ' ✗'}`,
      String(aim),
      nchan === null ? '' : withUnit(nchan, unit),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| workload | | ours | against | ratio | aim | nchan |',
    '| --- | --- | --: | --: | --: | --: | --: |',
    ...rows,
  ].join('\n');
}
