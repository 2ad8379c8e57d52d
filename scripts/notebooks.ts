import { randomUUID } from 'node:crypto';
import { availableParallelism, freemem } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { discover, shard, shown } from './runner/discover.js';
import { known, remember } from './runner/durations.js';
import { readNotebook } from './runner/notebook.js';
import { parametrize, parseParameter } from './runner/parameters.js';
import { jsonReport, junitReport, workflow } from './runner/report/files.js';
import { progress } from './runner/report/progress.js';
import { failureReport, summary } from './runner/report/text.js';
import { run } from './runner/run.js';
import { stress } from './runner/stress.js';
import { runCommand } from './shared/command.mjs';
import { writeWhole } from './shared/files.mjs';
import { whenOrphaned } from './shared/orphan.js';
import { Problem } from './shared/problem.mjs';
import { plain } from './shared/visible.mjs';

const HELP = `npm run notebooks -- [options] [notebook, folder or glob ...]

Executes tslab notebooks as CI does: each with a fresh kernel, in its own folder, with a server of its own
(POLLING_LAB_URL). Without arguments, the course. Notebooks of other repositories run as well, with the
node_modules they have.

  -p, --parameter NAME=VALUE  set what the cell tagged "parameters" declares (may be repeated)
      --cell-timeout S        seconds for one cell (60; a cell's metadata "polling-lab": {"timeout": S} wins)
      --notebook-timeout S    seconds for one notebook (600)
      --jobs N                notebooks at once (four times the cores, up to 16, as far as memory goes)
      --repeat N              every notebook N times
      --stress                keep every core busy meanwhile
      --shard I/N             only the I-th of N shares
      --bail                  start no further notebook after a failure
      --allow-leaks           tell of ports, processes and requests left open, but do not fail for them
      --no-server             no servers; POLLING_LAB_URL stays as it is
      --out FOLDER            executed copies, with outputs, also of failed notebooks (build/notebooks)
      --junit FILE            a JUnit XML report
      --json FILE             a JSON report
      --list                  say which notebooks would run
  -h, --help

Tags: skip-execution (not run), raises-exception (must raise; which error, the cell's metadata may say:
"polling-lab": {"raises": {"name": "TypeError", "message": "a regular expression"}}).

Exit code: 0 if every cell that should run ran and ended well, 1 if a notebook failed, 2 if it could not be
tried.
`;

const checkout = resolve(import.meta.dirname, '..');

const flags = {
  parameter: { type: 'string', short: 'p', multiple: true, default: [] as string[] },
  'cell-timeout': { type: 'string', default: '60' },
  'notebook-timeout': { type: 'string', default: '600' },
  jobs: { type: 'string' },
  repeat: { type: 'string', default: '1' },
  stress: { type: 'boolean', default: false },
  shard: { type: 'string' },
  bail: { type: 'boolean', default: false },
  'allow-leaks': { type: 'boolean', default: false },
  'no-server': { type: 'boolean', default: false },
  out: { type: 'string' },
  junit: { type: 'string' },
  json: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function parsed() {
  try {
    return parseArgs({ options: flags, allowPositionals: true });
  } catch (error) {
    throw new Problem(`${(error as Error).message}\nAll options: npm run notebooks -- --help`);
  }
}

function positive(name: string, text: string, whole = false): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value) && (!whole || Number.isInteger(value))) return value;
  throw new Problem(`--${name} takes a ${whole ? 'whole ' : ''}number above 0, got ${text}.`);
}

/** Waiting is most of a lesson, so more notebooks than cores; a kernel takes some 400 MB. */
function defaultJobs(): number {
  const byMemory = Math.floor(freemem() / 400e6);
  return Math.max(1, Math.min(4 * availableParallelism(), 16, byMemory));
}

async function main(signal: AbortSignal): Promise<number | undefined> {
  const { values, positionals } = parsed();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const base = whereCalled();
  let paths = await discover(...(positionals.length > 0 ? ([positionals, base] as const) : course(base)));
  if (values.shard) paths = shard(paths, values.shard);
  if (paths.length === 0)
    process.stdout.write(`Shard ${values.shard} is empty: there are fewer notebooks than shards.\n`);
  if (values.list) {
    process.stdout.write(paths.map((path) => `${shown(path, checkout)}\n`).join(''));
    return 0;
  }
  // What started this is gone: as if its terminal had been closed.
  whenOrphaned(() => process.kill(process.pid, 'SIGHUP'));
  const notebooks = await Promise.all(paths.map(readNotebook));
  const sources = parametrize(notebooks, new Map(values.parameter.map(parseParameter)));
  const options = {
    checkout,
    out: values.out ? resolve(base, values.out) : join(checkout, 'build', 'notebooks'),
    jobs: values.jobs ? positive('jobs', values.jobs, true) : defaultJobs(),
    repeat: positive('repeat', values.repeat, true),
    cellSeconds: positive('cell-timeout', values['cell-timeout']),
    notebookSeconds: positive('notebook-timeout', values['notebook-timeout']),
    withServer: !values['no-server'],
    leaksFail: !values['allow-leaks'],
    bail: values.bail,
    sources,
    known: await known(checkout),
    signal,
  };

  const began = performance.now();
  const again = (path: string) =>
    [`${npmRun(base)} --`, ...values.parameter.map((one) => `-p ${quoted(one)}`), quoted(path)].join(' ');
  const commands = process.env.GITHUB_ACTIONS ? workflow(randomUUID()) : null;
  if (commands) {
    process.stdout.write(commands.stop);
    process.once('exit', () => process.stdout.write(commands.go));
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
      if (result.failure && commands) process.stdout.write(commands.annotate(result));
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
  if (!values.stress) await remember(checkout, results); // a run under load is no measure of the notebook
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

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

await runCommand(main);
