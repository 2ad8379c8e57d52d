import { mkdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { runChecks } from '../check/checks.js';
import { checkExecuted, skippedSections } from '../check/executed.js';
import type { testSteps } from '../commands.mjs';
import { checkout } from '../shared/paths.mjs';
import { run } from '../shared/run.js';

/** What a step came to, in tests. `skipped` names each that was not run. */
export interface Count {
  passed: number;
  failed: number;
  skipped: string[];
  /** Names each that failed beside other tests, and passed when its file was run again alone. */
  flaky?: string[];
}

export type Step = (signal: AbortSignal) => Promise<Count>;

/** How a step's program runs. */
export interface Run {
  /** Names its report. */
  name: string;
  args?: string[];
  env?: Record<string, string>;
  /** No sound run comes near it. Default: 20 minutes. */
  limitMs?: number;
}

const reports = join(checkout, 'build', 'test');
const require = createRequire(import.meta.url);

/** Runs Node with these arguments to its end, and shows its output. Resolves with the exit code; 1 past the limit. */
export async function runNode(
  args: string[],
  { env = {}, limitMs = 20 * 60_000 }: Omit<Run, 'name'>,
  signal: AbortSignal,
): Promise<number> {
  const limit = AbortSignal.timeout(limitMs);
  const running = run([process.execPath, ...args], {
    cwd: checkout,
    env,
    shown: true,
    signal: AbortSignal.any([signal, limit]),
  });
  const { exitCode } = await running.catch((error) => {
    signal.throwIfAborted();
    if (!limit.aborted) throw error;
    process.stderr.write(`Stopped after ${limitMs / 60_000} minutes.\n`);
    return { exitCode: 1 };
  });
  return exitCode ?? 1;
}

/** Runs a program that writes a JSON report, and reads that; an earlier run's report never counts. */
async function reported<T>(
  program: (file: string) => string[],
  options: Run,
  signal: AbortSignal,
): Promise<{ code: number; report: T | null }> {
  const file = join(reports, `${options.name}.json`);
  await mkdir(dirname(file), { recursive: true });
  await rm(file, { force: true });
  const code = await runNode([...program(file), ...(options.args ?? [])], options, signal);
  const text = await readFile(file, 'utf8').catch(() => null);
  return { code, report: text === null ? null : (JSON.parse(text) as T) };
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  /** `name` is the file's path. */
  testResults: { name: string; status: string; assertionResults: { fullName: string; status: string }[] }[];
}

/**
 * Counts vitest's JSON report. A run that failed with no failed test (a file that did not load, an error that
 * nobody awaited) failed once. A `todo` is a plan, not a check that was skipped.
 */
export function countVitest(report: VitestReport | null, code: number): Count {
  const tests = report?.testResults.flatMap(({ assertionResults }) => assertionResults) ?? [];
  const failed = report?.numFailedTests ?? 0;
  return {
    passed: report?.numPassedTests ?? 0,
    failed: failed || (code === 0 && tests.length > 0 ? 0 : 1),
    skipped: tests
      .filter(({ status }) => ['skipped', 'pending', 'disabled'].includes(status))
      .map(({ fullName }) => fullName),
  };
}

interface NotebooksReport {
  passed: number;
  failed: number;
}

/** Counts the report of `npm run notebooks`. A run with no notebook in it has failed. */
export function countNotebooks(report: NotebooksReport | null, code: number): Count {
  const { passed, failed } = report ?? { passed: 0, failed: 0 };
  return { passed, failed: failed || (code === 0 && passed > 0 ? 0 : 1), skipped: [] };
}

/** At most so many files are run again: where more have failed, it is not a single test that is flaky. */
const filesRunAgain = 3;

/** The files to run again alone: those with failed tests, if nothing failed outside a test and they are few. */
export function filesToRunAgain(report: VitestReport | null): string[] {
  const failed = report?.testResults.filter(({ status }) => status === 'failed') ?? [];
  const named = failed.every(({ assertionResults }) => assertionResults.some(({ status }) => status === 'failed'));
  return named && failed.length <= filesRunAgain ? failed.map(({ name }) => name) : [];
}

/**
 * Joins the count of a run with that of its failed files alone. What failed twice has failed; what passed alone is
 * counted as passed, and named as flaky, since a test that gives two results is a fault, of the test or of what it tests.
 */
export function joinTries(first: VitestReport, again: VitestReport | null, code: number): Count {
  const count = countVitest(first, 0);
  const failed = first.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'failed')
    .map(({ fullName }) => fullName);
  const stillFailed = countVitest(again, code).failed;
  if (stillFailed > 0) return count;
  return { ...count, passed: count.passed + failed.length, failed: 0, flaky: failed };
}

/** Runs vitest; `args` name the tests, or all. */
export async function vitest(options: Run, signal: AbortSignal): Promise<Count> {
  const { code, report } = await runVitest(options, signal);
  return countVitest(report, code);
}

/** Runs vitest, and files that fail a second time, alone: see `joinTries`. */
async function vitestInTwoTries(signal: AbortSignal): Promise<Count> {
  const { code, report } = await runVitest({ name: 'vitest' }, signal);
  const files = filesToRunAgain(report);
  if (!report || files.length === 0) return countVitest(report, code);
  process.stdout.write(`\n── again, alone: ${files.map((file) => relative(checkout, file)).join(', ')}\n`);
  const again = await runVitest({ name: 'vitest-again', args: ['--no-file-parallelism', ...files] }, signal);
  return joinTries(report, again.report, again.code);
}

function runVitest(options: Run, signal: AbortSignal) {
  const script = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json'];
  const program = (file: string) => [script, 'run', ...reporters, `--outputFile.json=${file}`];
  return reported<VitestReport>(program, options, signal);
}

/** Runs `npm run notebooks`; `args` are its arguments. */
export async function notebooks(options: Run, signal: AbortSignal): Promise<Count> {
  const script = join(checkout, 'scripts', 'notebooks.ts');
  const program = (file: string) => ['--import', 'tsx', script, '--json', file];
  const { code, report } = await reported<NotebooksReport>(program, options, signal);
  return countNotebooks(report, code);
}

export const steps: Record<keyof typeof testSteps, Step> = {
  check: async (signal) => {
    const results = await runChecks(false, signal);
    const passed = results.filter(({ ok }) => ok).length;
    return { passed, failed: results.length - passed, skipped: [] };
  },
  vitest: vitestInTwoTries,
  notebooks: async (signal) => {
    // Many kernels compile their first cells at the same time here: a loaded machine is slow, not wrong.
    const count = await notebooks({ name: 'notebooks', args: ['--cell-timeout', '180'] }, signal);
    if (count.failed > 0) return count;
    const problems = await checkExecuted(checkout);
    for (const problem of problems) process.stdout.write(`✗ ${problem}\n`);
    return { ...count, failed: problems.length, skipped: await skippedSections(checkout) };
  },
};
