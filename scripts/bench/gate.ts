import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../shared/problem.mjs';
import { type Line, linesOf, type Measured } from './rounds.js';
import type { Row, Workload } from './workloads.js';

/** How much worse than the committed table a ratio may be. */
const ROOM = 1.15;

/** The committed table: what `--write` has measured last. */
export interface Committed {
  machine: string;
  date: string;
  clients: number;
  /** By workload, and by what a row is about: the ratio, or the figure of a row without one. */
  rows: Record<string, Record<string, number>>;
}

export const committedFile = join(import.meta.dirname, 'committed.json');

const measuredOf = ({ ratio, ours }: Line) => ratio ?? ours;

export function committedOf(lines: Line[], about: Omit<Committed, 'rows'>): Committed {
  const rows: Committed['rows'] = {};
  for (const line of lines)
    rows[line.workload] = { ...rows[line.workload], [line.what]: Number(measuredOf(line).toFixed(3)) };
  return { ...about, rows };
}

/** Reads the committed table. Error: `Problem`, where it was measured with another number of clients. */
export async function readCommitted(clients: number): Promise<Committed> {
  const committed = JSON.parse(await readFile(committedFile, 'utf8')) as Committed;
  if (committed.clients !== clients)
    throw new Problem(`--gate expects --clients ${committed.clients}, as in the committed table, got ${clients}.`);
  return committed;
}

/** The better of the rounds: what the code has made slower is slow in each of them, other load on the machine is not. */
export const gateLines = (workload: Workload, measured: Measured): Line[] =>
  linesOf(workload, measured, (values, { more }: Row) => (more ? Math.max(...values) : Math.min(...values)));

/**
 * The rows that are worse than the committed table by more than 15 %, each as a sentence. Error: `Problem`, where the
 * committed table lacks a row.
 */
export function regressions(lines: Line[], { rows }: Committed): string[] {
  return lines.flatMap((line) => {
    const { workload, what, more } = line;
    const committed = rows[workload]?.[what];
    if (committed === undefined)
      throw new Problem(
        `The committed table has no row "${workload}: ${what}". Write it: npm run bench -- --only server --write.`,
      );
    const now = measuredOf(line);
    if (more ? now * ROOM >= committed : now <= committed * ROOM) return [];
    return [`${workload}: ${what}: committed ${committed.toFixed(2)}, measured ${now.toFixed(2)}.`];
  });
}
