// The runner's command: from its flags to its exit code.
import { randomUUID } from 'node:crypto';
import { availableParallelism, freemem } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { writeWhole } from '../shared/files.mjs';
import { givenFlags, readFlags } from '../shared/flags.mjs';
import { endWhenOrphaned } from '../shared/orphan.js';
import { Problem } from '../shared/problem.mjs';
import { quoted } from '../shared/run.js';
import { plain } from '../shared/visible.mjs';
import { makeRoomFor } from '../shared/writable.js';
import type { runnerCommand } from './command.mjs';
import { copyPath, discover, shard } from './discover.js';
import { knownDurations, rememberDurations } from './durations.js';
import { ownEnvironment } from './environment.js';
import { isKernel, type Kernel, type Notebook, OtherLanguage, readNotebook } from './notebook.js';
import { parametrize, parseParameter } from './parameters.js';
import type { Project, Settings } from './project.js';
import { jsonReport, junitReport, workflow } from './report/files.js';
import { lineFinder } from './report/line-in-file.js';
import { progress } from './report/progress.js';
import { failureReport, othersLine, summary } from './report/text.js';
import { run } from './run.js';
import { stress } from './stress.js';

export interface Call {
  command: ReturnType<typeof runnerCommand>;
  /** The folder that paths on the command line are relative to. */
  base: string;
  /** The command line up to its flags, as a person types it. */
  typed: string;
}

/** Settings with their defaults, for a command that was started in `base`. */
export function projectOf(settings: Settings, base: string): Project {
  const root = settings.root ?? base;
  return {
    out: join(root, 'build', 'notebooks'),
    metadataKey: 'tslab',
    markVariable: 'NOTEBOOK_RUN',
    environment: ownEnvironment,
    ...settings,
    root,
  };
}

/** Executes or type-checks the notebooks that the command line names. Resolves with the exit code; a signal's is its own. */
export async function runNotebooks(
  project: Project,
  { command, base, typed }: Call,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { names, ...values } = readFlags(command);
  let paths = names.length > 0 ? await discover(names, base) : await discover(byDefault(project, base), project.root);
  if (values.shard) paths = shard(paths, values.shard);
  if (paths.length === 0)
    process.stdout.write(`Shard ${values.shard} is empty: there are fewer notebooks than shards.\n`);
  if (values.list) {
    process.stdout.write(paths.map((path) => `${relative(base, path)}\n`).join(''));
    return 0;
  }
  // What started this is gone: as if its terminal had been closed.
  endWhenOrphaned(signal);
  const kernel = isKernel(values.kernel) ? values.kernel : undefined;
  const named = new Set(names.map((name) => resolve(base, name)));
  const leftOut = (path: string) => values['only-tslab'] || !named.has(path);
  const { notebooks, others } = await readAll(paths, { base, key: project.metadataKey, kernel, leftOut });
  if (values.check) return checkOnly(notebooks, others, { base, stock: values.stock, key: project.metadataKey });
  for (const { path, kernel: used, namedKernel } of notebooks) {
    if (namedKernel === used || kernel) continue;
    const names = namedKernel === null ? 'names no kernel' : `names the kernel "${namedKernel}"`;
    process.stdout.write(`${relative(base, path)} ${names}; by its language, it runs with "${used}"\n`);
  }
  const sources = parametrize(notebooks, new Map(values.parameter.map(parseParameter)));
  const options = {
    project,
    base,
    out: values.out ? resolve(base, values.out) : project.out,
    jobs: values.jobs ?? defaultJobs(),
    repeat: values.repeat,
    cellSeconds: values['cell-timeout'],
    notebookSeconds: values['notebook-timeout'],
    withServer: !values['no-server'],
    leaksFail: !values['allow-leaks'],
    bail: values.bail,
    sources,
    known: await knownDurations(project),
    signal,
  };
  const reportFiles = {
    json: values.json && resolve(base, values.json),
    junit: values.junit && resolve(base, values.junit),
  };
  for (const { path } of notebooks)
    makeRoomFor(copyPath(path, project, options.out, 1), 'executed copies', 'Name another folder: --out FOLDER.');
  for (const [flag, file] of Object.entries(reportFiles))
    if (file) makeRoomFor(file, 'reports', `Name another file: --${flag} FILE.`);
  if (project.durationsFile)
    makeRoomFor(project.durationsFile, 'durations', 'Name another file: durationsFile in the settings.');

  const began = performance.now();
  const flags = givenFlags(command).filter(([name]) => !NOT_AGAIN.has(name));
  // A notebook that declares no parameter refuses them.
  const flagsFor = (path: string) => flags.filter(([name]) => name !== 'parameter' || sources.has(path));
  const again = (path: string) =>
    [typed, ...[...flagsFor(path).flatMap(([, ...words]) => words), relative(base, path)].map(quoted)].join(' ');
  const lineInFile = lineFinder(notebooks);
  const github = process.env.GITHUB_ACTIONS ? workflow(randomUUID(), process.env.GITHUB_WORKSPACE ?? base) : null;
  if (github) {
    process.stdout.write(github.stop);
    process.once('exit', () => process.stdout.write(github.go));
  }
  const live = progress(process.stdout);
  const reports: string[] = [];
  const planned = notebooks.length * options.repeat;
  const calm = values.stress ? stress() : async () => {};
  const results = await run(notebooks, options, {
    ...live,
    finished: (result, notebook) => {
      live.finished(result, notebook);
      if (result.failure) reports.push(failureReport(result, notebook, again(result.path), base));
      if (result.failure && github) process.stdout.write(github.annotate(result, lineInFile));
    },
  }).finally(async () => {
    live.stop();
    await calm();
  });

  const wallMs = performance.now() - began;
  const say = (line: string) => process.stdout.write(`${line}\n`);
  if (signal.aborted) {
    say(`stopped. ${summary(results, planned, wallMs)}`);
    return undefined; // the exit code is the signal's
  }
  const good = results.length === planned && results.every(({ status }) => status === 'passed');
  const exitCode = good ? 0 : 1;
  const { json, junit } = reportFiles;
  if (json) writeWhole(json, jsonReport(results, { wallMs, exitCode, notRun: others }));
  if (junit) writeWhole(junit, junitReport(results, lineInFile));
  if (!values.stress) await rememberDurations(project, results); // a run under load is no measure of the notebook
  for (const report of reports) process.stdout.write(`\n${report}`);
  for (const { notebook, leaks, failure } of results) {
    if (failure?.kind === 'leak') continue;
    for (const leak of leaks) say(`left open by ${notebook}: ${plain(leak)}`);
  }
  if (others.length > 0) say(othersLine(others));
  say(summary(results, planned, wallMs));
  return exitCode;
}

/** What runs without names. Outside the project nothing does, lest an unset variable make it stand for other notebooks. */
function byDefault({ notebooks, root }: Project, base: string): string[] {
  if (notebooks && !relative(root, base).startsWith('..')) return notebooks;
  throw new Problem(
    `Expected the paths of notebooks, got none. Name files, folders or globs, such as 'notebooks/**/*.ipynb', relative to ${base}.`,
  );
}

/** Flags that choose notebooks, or say where reports go: the command that runs one notebook again goes without them. */
const NOT_AGAIN = new Set(['shard', 'bail', 'only-tslab', 'jobs', 'list', 'json', 'junit', 'check', 'stock']);

/** Waiting is most of a lesson, so more notebooks than cores; a kernel takes some 400 MB. */
function defaultJobs(): number {
  const byMemory = Math.floor(freemem() / 400e6);
  return Math.max(1, Math.min(4 * availableParallelism(), 16, byMemory));
}

/** A notebook in another language than the runner's. */
export interface Other {
  notebook: string;
  kernel: string;
}

/** Reads notebooks; those in another language are told apart, where they may be left out. */
async function readAll(
  paths: string[],
  {
    base,
    key,
    kernel,
    leftOut,
  }: { base: string; key: string; kernel: Kernel | undefined; leftOut(path: string): boolean },
): Promise<{ notebooks: Notebook[]; others: Other[] }> {
  const others: Other[] = [];
  const read = paths.map(async (path) => {
    try {
      return await readNotebook(path, key, kernel);
    } catch (error) {
      if (!(error instanceof OtherLanguage && leftOut(path))) throw error;
      others.push({ notebook: relative(base, path), kernel: error.kernel });
      return [];
    }
  });
  const notebooks = (await Promise.all(read)).flat();
  if (notebooks.length === 0 && others.length > 0)
    throw new Problem(`Expected notebooks in TypeScript or JavaScript, got none. ${othersLine(others)}`);
  return { notebooks, others };
}

async function checkOnly(
  notebooks: Notebook[],
  others: Other[],
  options: { base: string; stock: boolean; key: string },
): Promise<number> {
  const { checkCells, problemLine } = await import('./check-cells.js');
  const problems = checkCells(notebooks, options);
  for (const problem of problems) process.stdout.write(`${problemLine(problem)}\n`);
  if (others.length > 0) process.stdout.write(`${othersLine(others)}\n`);
  const count = notebooks.length === 1 ? '1 notebook' : `${notebooks.length} notebooks`;
  process.stdout.write(`${count} type-checked: ${problems.length || 'no'} problems\n`);
  return problems.length > 0 ? 1 : 0;
}
