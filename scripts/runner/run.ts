import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { limiter } from '../shared/limiter.js';
import { temporaryFolder } from '../shared/temporary-folder.mjs';
import { copyPath } from './discover.js';
import { ownKernels } from './environment.js';
import { type Event, Executor } from './executor.js';
import type { Notebook } from './notebook.js';
import type { NotebookServer, Project } from './project.js';
import { type CellResult, type Failure, failingLine, type Result } from './result.js';

export interface RunOptions {
  project: Project;
  /** Notebooks are named by their paths from here. Default: the project's folder. */
  base?: string;
  out: string;
  /** How many notebooks run at once. */
  jobs: number;
  repeat: number;
  cellSeconds: number;
  notebookSeconds: number;
  withServer: boolean;
  leaksFail: boolean;
  /** Start no further notebook after the first failure. */
  bail: boolean;
  /** By a notebook's path and a cell's position: the source to run instead of the cell's own. */
  sources: Map<string, Record<string, string>>;
  /** How long each notebook took the last time, in milliseconds, by its path. The longest start first. */
  known: Map<string, number>;
  signal: AbortSignal;
}

/** One execution of one notebook. */
export interface Job {
  notebook: Notebook;
  name: string;
  repeat: number;
  id: number;
}

/** Hears how a run goes on. `run` itself prints nothing. */
export interface Reporter {
  began(jobs: Job[]): void;
  /** `step`: what happens now; a number is the position of the running cell, from 0. */
  step(job: Job, step: 'server' | 'kernel' | 'end' | number): void;
  finished(result: Result, notebook: Notebook): void;
}

/** Executes notebooks, each with a new kernel and a server of its own. The results are in the order in which they ended. */
export async function run(notebooks: Notebook[], options: RunOptions, reporter: Reporter): Promise<Result[]> {
  const { project } = options;
  const runId = randomBytes(8).toString('hex');
  const mark = (of: string) => `${project.markVariable}=${of}`;
  const environment = await project.environment(options.signal);
  const jobs = order(notebooks, options);
  const cores = availableParallelism();
  const { path: folder } = temporaryFolder('notebooks-');
  const kernels = environment.kernels ?? ownKernels(folder, project.metadataKey);
  const executor = await Executor.start(environment.python, mark(runId), folder, cores);
  const atOnce = limiter(options.jobs);
  const startingServer = limiter(cores);
  const results: Result[] = [];
  const servers = new Set<NotebookServer>();
  const wanted = () => !options.signal.aborted && !(options.bail && results.some(failed));

  const executeOne = async (job: Job): Promise<void> => {
    if (!wanted()) return;
    const { startServer } = project;
    if (startServer && options.withServer) reporter.step(job, 'server');
    const server =
      startServer && options.withServer
        ? await startingServer(() =>
            startServer(join(folder, `server-${job.id}`), { [project.markVariable]: `${runId}.server` }),
          )
        : null;
    if (server) servers.add(server);
    try {
      const result = await executeWith(job, server);
      results.push(result);
      reporter.finished(result, job.notebook);
    } finally {
      await server?.stop();
    }
  };

  const executeWith = async (job: Job, server: NotebookServer | null): Promise<Result> => {
    const { notebook } = job;
    const copy = copyPath(notebook.path, project, options.out, job.repeat);
    const cells = codeCells(notebook);
    let kernelStartMs: number | null = null;
    const onEvent = (event: Event) => {
      if (event.event === 'starting') reporter.step(job, 'kernel');
      else if (event.event === 'ready') kernelStartMs = event.ms;
      else if (event.event === 'cell') reporter.step(job, event.index);
      else if (event.event === 'settling') reporter.step(job, 'end');
      else if (event.event === 'ended') {
        const { status, count: executionCount, ms: durationMs } = event;
        Object.assign(cells.get(event.index)!, { status, executionCount, durationMs });
      }
    };
    const began = performance.now();
    const executing = executor.execute(
      {
        id: job.id,
        path: notebook.path,
        text: notebook.text,
        out: copy,
        cwd: dirname(notebook.path),
        mark: mark(`${runId}.${job.id}`),
        env: { ...project.env, ...server?.env },
        probe: server?.probe ?? null,
        kernels,
        kernel: notebook.kernel,
        cellSeconds: options.cellSeconds,
        notebookSeconds: notebook.timeout ?? options.notebookSeconds,
        sources: options.sources.get(notebook.path) ?? {},
        cells: Object.fromEntries(notebook.cells.map(({ index, annotations }) => [index, annotations])),
      },
      onEvent,
    );
    let serverSaid: string | null = null;
    void server?.ended.then((said) => {
      serverSaid = said;
    });
    const done = await executing;
    const leaks = done.event === 'done' ? done.leaks : [];
    const failure = verdict(done, serverSaid, cells, options.leaksFail);
    const failedCell = failure?.cell !== null && failure ? cells.get(failure.cell!) : undefined;
    if (failedCell) failedCell.status = 'failed';
    return {
      notebook: job.name,
      path: notebook.path,
      repeat: job.repeat,
      status: failure ? 'failed' : 'passed',
      durationMs: Math.round(performance.now() - began),
      kernelStartMs,
      failure,
      leaks,
      cells: [...cells.values()],
      copy: existsSync(copy) ? copy : null,
    };
  };

  const stop = () => void executor.close();
  options.signal.addEventListener('abort', stop);
  try {
    reporter.began(jobs);
    const all = await Promise.allSettled(jobs.map((job) => atOnce(() => executeOne(job))));
    const lost = all.find((one): one is PromiseRejectedResult => one.status === 'rejected');
    if (lost && !options.signal.aborted) throw lost.reason;
    return results;
  } finally {
    options.signal.removeEventListener('abort', stop);
    await Promise.all([...servers].map((server) => server.stop()));
    await executor.close();
  }
}

/** More than any notebook takes, in milliseconds. */
const UNKNOWN_MS = 1e9;

/**
 * The jobs of a run. The longest notebooks start first, so that the run does not end with a long one alone. How long a notebook
 * takes is known from its last run, or else from its metadata (`runMinutes`). A notebook of which neither is known starts before
 * the others. Of two that take equally long, as far as that is known, the one with the longer text starts first.
 */
export function order(
  notebooks: Notebook[],
  {
    repeat,
    known,
    project: { root },
    base = root,
  }: Pick<RunOptions, 'repeat' | 'known' | 'base'> & {
    project: Pick<Project, 'root'>;
  },
): Job[] {
  const jobs: Job[] = [];
  for (let round = 1; round <= repeat; round += 1) {
    for (const notebook of notebooks) {
      jobs.push({ notebook, name: relative(base, notebook.path), repeat: round, id: 0 });
    }
  }
  const takes = ({ notebook: { path, runMinutes } }: Job) =>
    known.get(relative(root, path)) ?? (runMinutes === undefined ? UNKNOWN_MS : runMinutes * 60_000);
  const textOf = ({ notebook: { text } }: Job) => text.length;
  jobs.sort((a, b) => a.repeat - b.repeat || takes(b) - takes(a) || textOf(b) - textOf(a));
  return jobs.map((job, index) => ({ ...job, id: index + 1 }));
}

function codeCells(notebook: Notebook): Map<number, CellResult> {
  return new Map(
    notebook.cells
      .filter((cell) => cell.isCode)
      .map(({ index, id }) => [index, { index, id, status: 'not-run', executionCount: null, durationMs: null }]),
  );
}

const failed = (result: Result) => result.status === 'failed';

/** Why a notebook failed; null only if nothing failed and every cell that should run is known to have run. */
function verdict(
  done: Extract<Event, { event: 'done' | 'broken' }>,
  serverSaid: string | null,
  cells: Map<number, CellResult>,
  leaksFail: boolean,
): Failure | null {
  const without = { cell: null, line: null, ename: null, evalue: null, traceback: [] };
  if (done.event === 'done' && done.failure) {
    const { cell, traceback } = done.failure;
    const count = cell === null ? null : (cells.get(cell)?.executionCount ?? null);
    return { ...done.failure, line: cell === null ? null : failingLine(traceback, count) };
  }
  if (serverSaid !== null) {
    const message = `the notebook's server ended before the notebook did\n${serverSaid}`;
    return { ...without, kind: 'server-ended', message };
  }
  if (done.event === 'broken') return { ...without, kind: 'broken', message: done.message };
  const missed = [...cells.values()].find((cell) => cell.status === 'not-run');
  if (missed) {
    return { ...without, kind: 'not-run', message: 'this cell was never run', cell: missed.index };
  }
  if (![...cells.values()].some(({ status }) => status === 'ran' || status === 'raised')) {
    const message = `nothing ran: ${cells.size === 0 ? 'it has no code cells' : 'every code cell is empty or skipped'}`;
    return { ...without, kind: 'nothing-ran', message };
  }
  if (leaksFail && done.leaks.length > 0) {
    return { ...without, kind: 'leak', message: done.leaks.join('\n') };
  }
  return null;
}
