import { plain } from '../shared/visible.mjs';

/** Why a notebook failed; the kinds are told apart in `strict_client.py`. */
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
  /** Position of the cell in the notebook, from 0; null where no cell is to blame. */
  cell: number | null;
  /** Line in the cell, from 1, where the kernel says so. */
  line: number | null;
  ename: string | null;
  evalue: string | null;
  /** As the kernel wrote it, with its colours. */
  traceback: string[];
}

export interface CellResult {
  index: number;
  id: string | null;
  /** `ran` and `raised` (as expected) are good; `not-run` cells stand behind a failure. */
  status: 'ran' | 'raised' | 'failed' | 'skipped' | 'empty' | 'not-run';
  executionCount: number | null;
  durationMs: number | null;
}

export interface Result {
  /** As shown to people: relative to the checkout where it lies in it. */
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
