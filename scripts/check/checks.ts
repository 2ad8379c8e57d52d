import { createRequire } from 'node:module';
import { join } from 'node:path';
import { checkout } from '../setup/paths.mjs';
import { inSeconds } from '../setup/set-up.mjs';
import { start } from '../shared/child.mjs';
import { checkNavigation } from './navigation.js';
import { checkOutputs } from './notebooks.js';
import { checkSources } from './sources.js';
import { syllabus } from './syllabus.js';
import { checkTime } from './time.js';

export interface CheckResult {
  name: string;
  ok: boolean;
  /** What is wrong, as the tool says it. */
  said: string;
  ms: number;
}

interface Check {
  name: string;
  /** `notes` are shown also where the check passes. */
  run: (fix: boolean) => Promise<{ ok: boolean; said: string; notes?: string[] }>;
}

const require = createRequire(import.meta.url);
const cache = (name: string) => join(checkout, '.polling-lab', 'check', `${name}.tsbuildinfo`);
const tsc = (compiler: string, project: string, name: string) => [
  require.resolve(compiler),
  ...['--project', project, '--noEmit', '--incremental', '--tsBuildInfoFile', cache(name)],
];

/** A check that is a program: it fails where the program does. */
function program(name: string, args: string[] | ((fix: boolean) => string[])): Check {
  const run = async (fix: boolean) => {
    const given = typeof args === 'function' ? args(fix) : args;
    const child = start(process.execPath, given, { cwd: checkout });
    const { code } = await child.ended;
    return { ok: code === 0, said: child.said() };
  };
  return { name, run };
}

/** A check of our own: it fails where it finds a problem. */
function problems(name: string, find: (fix: boolean, note: (line: string) => void) => Promise<string[]>): Check {
  const run = async (fix: boolean) => {
    const notes: string[] = [];
    const found = await find(fix, (line) => notes.push(line));
    return { ok: found.length === 0, said: found.map((line) => `${line}\n`).join(''), notes };
  };
  return { name, run };
}

const biome = join(checkout, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
const cells = join(checkout, 'scripts', 'runner', 'check-cells.ts');

const checks: Check[] = [
  program('lint and format', (fix) => [biome, 'check', '--error-on-warnings', ...(fix ? ['--write'] : [])]),
  program('types of server and scripts', tsc('typescript/bin/tsc', '.', 'root')),
  // What cells import is compiled by tslab, so its own compiler is the one to please.
  program('types of what cells import', tsc('@tslab/typescript-for-tslab/bin/tsc', 'notebooks', 'notebooks')),
  program('types of the cells', ['--import', 'tsx', cells]),
  // One after the other, because the first three write notebooks with --fix. The links' texts show the time.
  problems('notebooks: no outputs, time, links and goals as their metadata, sources told', async (fix, note) => [
    ...(await checkOutputs(checkout, fix)),
    ...(await checkTime(checkout, { fix, note })),
    ...(await checkNavigation(checkout, fix)),
    ...(await checkSources(checkout)),
  ]),
  problems('every line of the syllabus has a cell', async () => (await syllabus(checkout)).problems),
];

/** Runs every check, two at a time; `say` hears of each as it ends. */
export async function runChecks(fix: boolean, say: (line: string) => void): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const waiting = [...checks];
  const worker = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const began = performance.now();
      const { ok, said, notes = [] } = await check.run(fix);
      const ms = performance.now() - began;
      results.push({ name: check.name, ok, said, ms });
      say(`${ok ? '✓' : '✗'} ${check.name}  ${inSeconds(ms)}`);
      if (!ok) say(said.trimEnd().replace(/^/gm, '  '));
      for (const line of notes) say(`  ! ${line}`);
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}
