import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { project } from '../project.js';
import { runCommand } from '../shared/command.mjs';
import { readFlags } from '../shared/flags.mjs';
import { Problem } from '../shared/problem.mjs';
import { run } from '../shared/run.js';
import { temporaryFolder } from '../shared/temporary-folder.mjs';
import { discover } from './discover.js';
import type { Result } from './result.js';

const COMMAND = {
  call: 'npx tsx scripts/runner/bench.ts',
  about: `Measures in one run what the runner's parallelism is worth: all notebooks under the runner, each of them
with "jupyter execute" one after the other, and the slowest of them alone under the runner. The aim: all take
as long as the longest and a kernel start.`,
  names: 'notebook, folder or glob ...',
  flags: {},
} as const;

const checkout = resolve(import.meta.dirname, '..', '..');

async function timed(command: string, args: string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  const { exitCode, stderr } = await run([command, ...args], { env, signal });
  if (exitCode !== 0) {
    throw new Problem(
      `Only notebooks that pass can be measured: ended with ${exitCode}:\n${command} ${args.join(' ')}`,
      { exitCode: 1, details: stderr },
    );
  }
  return (performance.now() - began) / 1000;
}

interface Report {
  notebooks: Result[];
}

/** Wall time of the runner's own command, and what it reported. */
async function underRunner(paths: string[], signal: AbortSignal): Promise<{ seconds: number; report: Report }> {
  const folder = temporaryFolder('runner-bench-');
  try {
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const main = join(checkout, 'scripts', 'notebooks.ts');
    const json = join(folder.path, 'report.json');
    const args = ['--import', tsx, main, '--json', json, '--out', join(folder.path, 'out'), ...paths];
    const seconds = await timed(process.execPath, args, process.env, signal);
    return { seconds, report: JSON.parse(await readFile(json, 'utf8')) };
  } finally {
    folder.remove();
  }
}

async function oneByOne(paths: string[], signal: AbortSignal): Promise<number> {
  const { python, kernels } = project.environment();
  let seconds = 0;
  for (const path of paths) {
    const data = temporaryFolder('runner-bench-');
    const server = await project.startServer(data.path, {});
    const env = {
      ...process.env,
      ...server.env,
      JUPYTER_PATH: dirname(kernels),
    };
    try {
      seconds += await timed(join(dirname(python), 'jupyter-execute'), [path], env, signal);
    } finally {
      await server.stop();
      data.remove();
    }
  }
  return seconds;
}

await runCommand((signal) => measure(readFlags(COMMAND).names, signal));

async function measure(args: string[], signal: AbortSignal): Promise<void> {
  const course = [join(checkout, 'notebooks')];
  const paths = await discover(args.length ? args : course, process.cwd());
  await underRunner(paths, signal); // disk caches and the order of work are warm for all that is compared
  const all = await underRunner(paths, signal);
  const [slowest] = [...all.report.notebooks].sort((a, b) => b.durationMs - a.durationMs);
  const alone = await underRunner([slowest!.path], signal);
  const one = await oneByOne(paths, signal);
  const kernelStart = (alone.report.notebooks[0]?.kernelStartMs ?? 0) / 1000;
  const row = (what: string, seconds: number) => process.stdout.write(`${seconds.toFixed(1).padStart(7)} s  ${what}\n`);
  row(`${paths.length} notebooks under the runner`, all.seconds);
  row(`the same with jupyter execute, one by one`, one);
  row(`the slowest alone under the runner (${relative(checkout, slowest!.path)})`, alone.seconds);
  row('a kernel start', kernelStart);
  process.stdout.write(
    `the runner takes ${(all.seconds / one).toFixed(2)} of the time of one by one, ` +
      `${(all.seconds / (alone.seconds + kernelStart)).toFixed(2)} of the slowest and a kernel start\n`,
  );
}
