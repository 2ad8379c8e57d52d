import { plain } from '../shared/visible.mjs';

/** Why a notebook failed. Most kinds come from `strict_client.py`, the others from `run.ts`. */
export interface Failure {
  kind:
    | 'error'
    | 'late-error'
    | 'not-raised'
    | 'wrong-error'
    | 'not-run'
    | 'cell-timeout'
    | 'notebook-timeout'
    | 'exit-code'
    | 'nothing-ran'
    | 'kernel-died'
    | 'kernel-not-started'
    | 'server-ended'
    | 'leak'
    | 'broken';
  message: string;
  /** Position of the cell in the notebook, from 0; null if the failure belongs to no cell. */
  cell: number | null;
  /** Line in the cell, from 1; null if the kernel does not name one. */
  line: number | null;
  ename: string | null;
  evalue: string | null;
  /** As the kernel wrote it, with its colors. */
  traceback: string[];
}

export interface CellResult {
  index: number;
  id: string | null;
  /** `ran` and `raised` (as expected) are good; a `not-run` cell follows one that failed. */
  status: 'ran' | 'raised' | 'failed' | 'skipped' | 'empty' | 'not-run';
  executionCount: number | null;
  durationMs: number | null;
}

export interface Result {
  /** The notebook's path as it is shown: relative to the project's folder if it lies in there. */
  notebook: string;
  path: string;
  /** From 1; more than 1 with `--repeat`. */
  repeat: number;
  status: 'passed' | 'failed';
  durationMs: number;
  kernelStartMs: number | null;
  failure: Failure | null;
  leaks: string[];
  /** Code cells only. */
  cells: CellResult[];
  /** The executed copy, with outputs; null if there is none. */
  copy: string | null;
}

/** The line of a cell that a kernel's traceback names (`cell [3], line 2`), the innermost first. */
export function failingLine(traceback: string[], executionCount: number | null): number | null {
  const text = plain(traceback.join('\n'));
  for (const [, cell, line] of text.matchAll(/^cell \[(\d+)\], line (\d+)/gm)) {
    if (executionCount === null || Number(cell) === executionCount) return Number(line);
  }
  return null;
}
