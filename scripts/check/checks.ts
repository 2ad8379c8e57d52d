import { createRequire } from 'node:module';
import { join } from 'node:path';
import { limiter } from '../shared/limiter.js';
import { checkout } from '../shared/paths.mjs';
import { taskReporter } from '../shared/progress.mjs';
import { run } from '../shared/run.js';
import { checkLessons } from './lessons.js';
import { checkNavigation } from './navigation.js';
import { checkOutputs } from './outputs.js';
import { checkSources } from './sources.js';
import { syllabus } from './syllabus.js';
import { checkTime } from './time.js';

/** What a check found; `said` tells what is wrong, `notes` what is worth a look and fails nothing. */
export interface CheckResult {
  name: string;
  ok: boolean;
  said: string;
  notes?: string[];
}

interface Check {
  name: string;
  run: (fix: boolean, signal: AbortSignal) => Promise<Omit<CheckResult, 'name'>>;
}

const require = createRequire(import.meta.url);
const cache = (name: string) => join(checkout, '.polling-lab', 'check', `${name}.tsbuildinfo`);
const tsc = (compiler: string, project: string, name: string) => () => [
  require.resolve(compiler),
  ...['--project', project, '--noEmit', '--incremental', '--tsBuildInfoFile', cache(name)],
];

/** A check that is a program: it fails where the program does. */
function program(name: string, args: (fix: boolean) => string[]): Check {
  return {
    name,
    run: async (fix, signal) => {
      const { exitCode, stdall } = await run([process.execPath, ...args(fix)], { cwd: checkout, signal });
      return { ok: exitCode === 0, said: stdall };
    },
  };
}

/** A check of our own: it fails where it finds a problem. */
function problems(name: string, find: (fix: boolean, tell: (line: string) => void) => Promise<string[]>): Check {
  return {
    name,
    run: async (fix) => {
      const notes: string[] = [];
      const found = await find(fix, (line) => notes.push(line));
      return { ok: found.length === 0, said: found.join('\n'), notes };
    },
  };
}

const biome = join(checkout, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
const notebooks = join(checkout, 'scripts', 'notebooks.ts');

const checks: Check[] = [
  program('lint and format', (fix) => [biome, 'check', '--error-on-warnings', ...(fix ? ['--write'] : [])]),
  program('types of server and scripts', tsc('typescript/bin/tsc', '.', 'root')),
  // What cells import is compiled by tslab, so its own compiler is the one to please.
  program(
    'types of what cells import',
    tsc('@tslab/typescript-for-tslab/bin/tsc', 'notebooks/tsconfig.helpers.json', 'notebooks'),
  ),
  program('types of the cells', () => ['--import', 'tsx', notebooks, '--check', '--stock']),
  // One after the other, because the first three write notebooks with --fix. The links' texts show the time.
  problems('notebooks: no outputs, time, links and goals as their metadata, sources told', async (fix, tell) => [
    ...(await checkOutputs(checkout, fix)),
    ...(await checkTime(checkout, fix, tell)),
    ...(await checkNavigation(checkout, fix)),
    ...(await checkSources(checkout)),
  ]),
  problems('every lesson is whole, and every line of the syllabus has a cell', async () => [
    ...(await checkLessons(checkout)),
    ...(await syllabus(checkout)).problems,
  ]),
];

/** Runs every check, two at a time, and tells of each as it ends. */
export async function runChecks(fix: boolean, signal: AbortSignal): Promise<CheckResult[]> {
  const reporter = taskReporter();
  const atOnce = limiter(2);
  const results = checks.map(({ name, run }) =>
    atOnce(async () => {
      const result = await reporter.task(name, () => run(fix, signal), { isGood: ({ ok }) => ok });
      for (const note of result.notes ?? []) reporter.print(`  ${note}`);
      if (!result.ok) reporter.print(result.said.trimEnd().replace(/^/gm, '  '));
      return { name, ...result };
    }),
  );
  return Promise.all(results).finally(reporter.stop);
}
