import { randomUUID } from 'node:crypto';
import { availableParallelism, freemem } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { commands } from './commands.mjs';
import { project } from './project.js';
import { discover, shard, shown } from './runner/discover.js';
import { knownDurations, rememberDurations } from './runner/durations.js';
import { isKernel, readNotebook } from './runner/notebook.js';
import { parametrize, parseParameter } from './runner/parameters.js';
import { jsonReport, junitReport, workflow } from './runner/report/files.js';
import { progress } from './runner/report/progress.js';
import { failureReport, summary } from './runner/report/text.js';
import { run } from './runner/run.js';
import { stress } from './runner/stress.js';
import { runCommand } from './shared/command.mjs';
import { writeWhole } from './shared/files.mjs';
import { readFlags } from './shared/flags.mjs';
import { endWhenOrphaned } from './shared/orphan.js';
import { checkout } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';
import { quoted } from './shared/run.js';
import { plain } from './shared/visible.mjs';

/** Waiting is most of a lesson, so more notebooks than cores; a kernel takes some 400 MB. */
function defaultJobs(): number {
  const byMemory = Math.floor(freemem() / 400e6);
  return Math.max(1, Math.min(4 * availableParallelism(), 16, byMemory));
}

async function main(signal: AbortSignal): Promise<number | undefined> {
  const { names, ...values } = readFlags(commands.notebooks);
  const base = whereCalled();
  let paths = await discover(...(names.length > 0 ? ([names, base] as const) : course(base)));
  if (values.shard) paths = shard(paths, values.shard);
  if (paths.length === 0)
    process.stdout.write(`Shard ${values.shard} is empty: there are fewer notebooks than shards.\n`);
  if (values.list) {
    process.stdout.write(paths.map((path) => `${shown(path, checkout)}\n`).join(''));
    return 0;
  }
  // What started this is gone: as if its terminal had been closed.
  endWhenOrphaned(signal);
  const kernel = isKernel(values.kernel) ? values.kernel : undefined;
  const notebooks = await Promise.all(paths.map((path) => readNotebook(path, project.metadataKey, kernel)));
  for (const { path, kernel: used, namedKernel } of notebooks) {
    if (namedKernel === used || kernel) continue;
    const names = namedKernel === null ? 'names no kernel' : `names the kernel "${namedKernel}"`;
    process.stdout.write(`${shown(path, checkout)} ${names}; by its language, it runs with "${used}"\n`);
  }
  const sources = parametrize(notebooks, new Map(values.parameter.map(parseParameter)));
  const options = {
    project,
    out: values.out ? resolve(base, values.out) : join(checkout, 'build', 'notebooks'),
    jobs: values.jobs ?? defaultJobs(),
    repeat: values.repeat,
    cellSeconds: values['cell-timeout'],
    notebookSeconds: values['notebook-timeout'],
    withServer: !values['no-server'],
    leaksFail: !values['allow-leaks'],
    bail: values.bail,
    sources,
    known: await knownDurations(project.durationsFile),
    signal,
  };

  const began = performance.now();
  const again = (path: string) =>
    [
      `${npmRun(base)} --`,
      ...(kernel ? [`--kernel ${kernel}`] : []),
      ...values.parameter.map((one) => `-p ${quoted(one)}`),
      quoted(path),
    ].join(' ');
  const github = process.env.GITHUB_ACTIONS ? workflow(randomUUID()) : null;
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
      if (result.failure) reports.push(failureReport(result, notebook, again(result.notebook), base));
      if (result.failure && github) process.stdout.write(github.annotate(result));
    },
  }).finally(async () => {
    live.stop();
    await calm();
  });

  const wallMs = performance.now() - began;
  if (signal.aborted) {
    process.stdout.write(`stopped. ${summary(results, planned, wallMs)}\n`);
    return undefined; // the exit code is the signal's
  }
  const good = results.length === planned && results.every(({ status }) => status === 'passed');
  const exitCode = good ? 0 : 1;
  if (values.json) writeWhole(resolve(base, values.json), jsonReport(results, { wallMs, exitCode }));
  if (values.junit) writeWhole(resolve(base, values.junit), junitReport(results));
  if (!values.stress) await rememberDurations(project.durationsFile, results); // a run under load is no measure of the notebook
  for (const report of reports) process.stdout.write(`\n${report}`);
  for (const { notebook, leaks, failure } of results) {
    if (failure?.kind === 'leak') continue;
    for (const leak of leaks) process.stdout.write(`left open by ${notebook}: ${plain(leak)}\n`);
  }
  process.stdout.write(`${summary(results, planned, wallMs)}\n`);
  return exitCode;
}

/** The folder that paths are relative to. npm runs a script in the package's folder, and tells in INIT_CWD where its user was. */
function whereCalled(): string {
  const { npm_lifecycle_event: script, INIT_CWD: caller } = process.env;
  return script === 'notebooks' && caller ? caller : process.cwd();
}

/** What runs without arguments. Elsewhere nothing does, lest an unset variable make the course stand for other notebooks. */
function course(base: string): [args: string[], from: string] {
  if (isOutside(base)) throw new Problem(`Expected the paths of notebooks in ${base}, got none.`);
  return [['notebooks'], checkout];
}

const isOutside = (folder: string) => relative(checkout, folder).startsWith('..');

function npmRun(base: string): string {
  return isOutside(base) ? `npm --prefix ${quoted(relative(base, checkout))} run notebooks` : 'npm run notebooks';
}

await runCommand(main);
