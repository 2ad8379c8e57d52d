import { mkdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runChecks } from '../check/checks.js';
import { checkExecuted } from '../check/executed.js';
import type { testSteps } from '../commands.mjs';
import { checkout } from '../shared/paths.mjs';
import { run } from '../shared/run.js';

/** What a step came to, in tests. `skipped` names each that was not run. */
export interface Count {
  passed: number;
  failed: number;
  skipped: string[];
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
  testResults: { assertionResults: { fullName: string; status: string }[] }[];
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

/** Runs vitest; `args` name the tests, or all. */
export async function vitest(options: Run, signal: AbortSignal): Promise<Count> {
  const script = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json'];
  const program = (file: string) => [script, 'run', ...reporters, `--outputFile.json=${file}`];
  const { code, report } = await reported<VitestReport>(program, options, signal);
  return countVitest(report, code);
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
  vitest: (signal) => vitest({ name: 'vitest' }, signal),
  notebooks: async (signal) => {
    const count = await notebooks({ name: 'notebooks' }, signal);
    if (count.failed > 0) return count;
    const problems = await checkExecuted(checkout);
    for (const problem of problems) process.stdout.write(`✗ ${problem}\n`);
    return { ...count, failed: problems.length };
  },
};
