import { availableParallelism } from 'node:os';
import { project } from '../project.js';
import { knownDurations, rememberDurations } from '../runner/durations.js';
import { projectOf } from '../runner/main.js';
import { readNotebook } from '../runner/notebook.js';
import { progress } from '../runner/report/progress.js';
import { failureReport, summary } from '../runner/report/text.js';
import { run } from '../runner/run.js';
import { Problem } from '../shared/problem.mjs';

/** A notebook that has been executed. */
export interface Executed {
  /** The copy with its outputs. */
  copy: string;
  /** What each cell took, by its id. */
  durations: Record<string, number>;
  ranMs: number;
}

/** Runs notebooks; the results are in their order. Throws a {@link Problem} if one of them fails. */
export type Execute = (notebooks: string[], out: string, signal: AbortSignal) => Promise<Executed[]>;

/** Executes notebooks by the runner, whose green can be believed. Shows how it goes on. */
export const execute: Execute = async (paths, out, signal) => {
  const notebooks = await Promise.all(paths.map((path) => readNotebook(path, project.metadataKey)));
  const live = progress(process.stdout);
  const began = performance.now();
  const reports: string[] = [];
  const results = await run(
    notebooks,
    {
      project: projectOf(project, project.root),
      out,
      // A lesson mostly waits; but with all of them at once, they would measure each other.
      jobs: 2 * availableParallelism(),
      repeat: 1,
      cellSeconds: 180, // many kernels compile their first cells at the same time: a loaded machine is slow, not wrong
      notebookSeconds: 600,
      withServer: true,
      leaksFail: true,
      bail: true,
      sources: new Map(),
      known: await knownDurations(project),
      signal,
    },
    {
      ...live,
      finished: (result, notebook) => {
        live.finished(result, notebook);
        if (result.failure) reports.push(failureReport(result, notebook, `npm run notebooks -- ${result.notebook}`));
      },
    },
  ).finally(live.stop);
  signal.throwIfAborted();
  await rememberDurations(project, results);
  process.stdout.write(`${summary(results, notebooks.length, performance.now() - began)}\n`);
  if (reports.length > 0) {
    process.stdout.write(`\n${reports.join('\n')}`);
    throw new Problem('A notebook failed: no handouts were built, and those of before are as they were.', {
      exitCode: 1,
    });
  }
  return paths.map((path) => {
    const { copy, cells, durationMs } = results.find((result) => result.path === path)!;
    const durations = Object.fromEntries(cells.map((cell) => [cell.id ?? '', cell.durationMs ?? 0]));
    return { copy: copy!, durations, ranMs: durationMs };
  });
};
