import { mkdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runChecks } from '../check/checks.js';
import { checkout } from '../setup/paths.mjs';
import { start } from '../shared/child.mjs';

/** What a step came to, in tests. `skipped` names each that was not run. */
export interface Count {
  passed: number;
  failed: number;
  skipped: string[];
}

export interface TestStep {
  name: string;
  about: string;
  run: (signal: AbortSignal) => Promise<Count>;
}

/** No step of a sound run comes near it. */
const STEP_MS = 20 * 60_000;

const reports = join(checkout, 'build', 'test');
const require = createRequire(import.meta.url);

/** Runs a program to its end, its output on ours. Resolves with its exit code. */
async function run(args: string[], signal: AbortSignal, limitMs = STEP_MS): Promise<number> {
  const child = start(process.execPath, args, { cwd: checkout, stdio: ['ignore', 'inherit', 'inherit'] });
  const stop = () => void child.stop();
  signal.addEventListener('abort', stop);
  const timer = setTimeout(() => {
    process.stderr.write(`Stopped after ${limitMs / 60_000} minutes.\n`);
    stop();
  }, limitMs);
  const { code } = await child.ended;
  clearTimeout(timer);
  signal.removeEventListener('abort', stop);
  return code ?? 1;
}

/** Runs a program that writes a JSON report, and reads that; an earlier run's report never counts. */
async function reported<T>(
  file: string,
  args: string[],
  signal: AbortSignal,
): Promise<{ code: number; report: T | null }> {
  await mkdir(dirname(file), { recursive: true });
  await rm(file, { force: true });
  const code = await run(args, signal);
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

export const steps: TestStep[] = [
  {
    name: 'check',
    about: 'lint, format, types, notebooks without outputs',
    run: async () => {
      const results = await runChecks(false, (line) => process.stdout.write(`${line}\n`));
      const passed = results.filter(({ ok }) => ok).length;
      return { passed, failed: results.length - passed, skipped: [] };
    },
  },
  {
    name: 'vitest',
    about: 'units, HTTP, kernel, browser',
    run: async (signal) => {
      const file = join(reports, 'vitest.json');
      const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
      const args = [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
      const { code, report } = await reported<VitestReport>(file, args, signal);
      return countVitest(report, code);
    },
  },
  {
    name: 'notebooks',
    about: 'every notebook executed',
    run: async (signal) => {
      const file = join(reports, 'notebooks.json');
      const script = join(checkout, 'scripts', 'notebooks.ts');
      const { code, report } = await reported<NotebooksReport>(
        file,
        ['--import', 'tsx', script, '--json', file],
        signal,
      );
      return countNotebooks(report, code);
    },
  },
];
