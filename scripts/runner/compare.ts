import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { $ } from 'zx';
import { project } from '../project.js';
import { runCommand } from '../shared/command.mjs';
import { writeWhole } from '../shared/files.mjs';
import { readFlags } from '../shared/flags.mjs';
import { limiter } from '../shared/limiter.js';
import { Problem } from '../shared/problem.mjs';
import { failing, passing } from './verdicts/expected.js';

const COMMAND = {
  call: 'npx tsx scripts/runner/compare.ts',
  about: `Runs the notebooks of scripts/runner/verdicts with the tools of the field (jupyter execute, nbmake, papermill;
installed into an environment of their own in a temporary folder), on stock tslab and on this kernel, and makes
the table of how many notebooks that must fail each of them passes. About half an hour on two cores.`,
  flags: {
    write: { about: 'put the table into scripts/runner/README.md, and a sentence into README.md' },
    keep: { value: 'FOLDER', about: 'make the environment there, and use it again the next time' },
  },
} as const;

const checkout = resolve(import.meta.dirname, '..', '..');
const verdicts = join(import.meta.dirname, 'verdicts');
/** The files that the result is written to, between marks: as a table, and as a sentence. */
const places: [readme: string, text: (rows: Row[]) => string][] = [
  [join(import.meta.dirname, 'README.md'), table],
  [join(checkout, 'README.md'), sentence],
];
const CELL_SECONDS = 20;

interface Tool {
  name: string;
  command(bin: string, notebook: string, folder: string): string[];
}

// Each tool runs the cells in the notebook's folder. The first two do so without an option.
const tools: Tool[] = [
  {
    name: 'jupyter execute',
    command: (bin, notebook) => [join(bin, 'jupyter-execute'), `--timeout=${CELL_SECONDS}`, notebook],
  },
  {
    name: 'nbmake',
    command: (bin, notebook) => [
      join(bin, 'pytest'),
      ...['-q', '-p', 'no:cacheprovider', '--nbmake', `--nbmake-timeout=${CELL_SECONDS}`, notebook],
    ],
  },
  {
    name: 'papermill',
    command: (bin, notebook, folder) => [
      join(bin, 'papermill'),
      ...['--execution-timeout', String(CELL_SECONDS), '--cwd', dirname(notebook)],
      ...[notebook, join(folder, basename(notebook))],
    ],
  },
];

interface Row {
  tool: string;
  kernel: 'stock tslab' | 'this kernel';
  /** Notebooks that must fail and passed. */
  falselyGreen: string[];
  /** Notebooks that must pass and failed. */
  falselyRed: string[];
}

/** An environment with the other tools and one kernel named `tslab`. */
async function makeEnvironment(folder: string): Promise<void> {
  await $`python3 -m venv ${folder}`;
  await $`${join(folder, 'bin', 'pip')} install --quiet --requirement ${join(import.meta.dirname, 'requirements-compare.txt')}`;
}

/** Writes the kernelspec that `tslab install` would write, for this checkout's tslab. */
async function stockKernel(folder: string): Promise<void> {
  const tslab = dirname(createRequire(import.meta.url).resolve('tslab/package.json'));
  const spec = {
    argv: [process.execPath, join(tslab, 'bin', 'tslab'), 'kernel', '--config-path={connection_file}'],
    display_name: 'TypeScript',
    language: 'typescript',
  };
  await mkdir(join(folder, 'kernels', 'tslab'), { recursive: true });
  await writeFile(join(folder, 'kernels', 'tslab', 'kernel.json'), JSON.stringify(spec));
}

async function tryAll(venv: string, work: string, signal: AbortSignal): Promise<Row[]> {
  await stockKernel(join(work, 'stock'));
  const own = join(work, 'own', 'kernels');
  await cp(project.environment().kernels, own, { recursive: true });
  const run = randomBytes(8).toString('hex');
  const atOnce = limiter(availableParallelism());
  const rows: Row[] = [];
  try {
    await fill();
  } finally {
    // Stock kernels outlive a tool that is killed.
    const sweep = [join(import.meta.dirname, 'execute.py'), '--mark', `${project.markVariable}=${run}`, '--sweep'];
    await $({ quiet: true })`${project.environment().python} ${sweep}`;
  }
  return rows;

  async function fill(): Promise<void> {
    for (const [kernel, data] of [
      ['stock tslab', join(work, 'stock')],
      ['this kernel', join(work, 'own')],
    ] as const) {
      for (const tool of tools) {
        const passes = async (name: string): Promise<boolean> => {
          signal.throwIfAborted();
          const [command, ...args] = tool.command(join(venv, 'bin'), join(verdicts, name), work);
          const env = {
            ...process.env,
            JUPYTER_PATH: data,
            JUPYTER_PREFER_ENV_PATH: '0',
            JUPYTER_RUNTIME_DIR: join(work, 'runtime'),
            [project.markVariable]: run,
          };
          const shell = $({ env, signal, quiet: true, nothrow: true, stdio: ['ignore', 'pipe', 'pipe'] });
          const { exitCode } = await shell`${command} ${args}`.timeout('120s', 'SIGKILL');
          return exitCode === 0;
        };
        const judge = async (names: string[], wrong: boolean) => {
          const verdict = await Promise.all(names.map((name) => atOnce(() => passes(name))));
          return names.filter((_, index) => verdict[index] === wrong);
        };
        const row = {
          tool: tool.name,
          kernel,
          falselyGreen: await judge(Object.keys(failing), true),
          falselyRed: await judge(passing, false),
        };
        rows.push(row);
        process.stdout.write(`${line(row)}\n`);
      }
    }
  }
}

const line = ({ tool, kernel, falselyGreen, falselyRed }: Row) =>
  `| ${tool} | ${kernel} | ${falselyGreen.length} | ${falselyRed.length} |`;

function table(rows: Row[]): string {
  const green = Object.keys(failing).length;
  return [
    `| tool | kernel | of ${green} that must fail, passed | of ${passing.length} that must pass, failed |`,
    '| --- | --- | --: | --: |',
    ...rows.map(line),
    '| `npm run notebooks` | this kernel | 0 | 0 |',
  ].join('\n');
}

function sentence(rows: Row[]): string {
  const stock = rows.filter(({ kernel }) => kernel === 'stock tslab');
  const passed = stock.map(({ tool, falselyGreen }) => `${falselyGreen.length} under ${tool}`).join(', ');
  return `Of ${Object.keys(failing).length} notebooks that must fail, stock tslab passes ${passed}; \`npm run notebooks\` passes none.`;
}

async function write(readme: string, result: string): Promise<void> {
  const text = await readFile(readme, 'utf8');
  const between = /(<!-- compare -->\n)[\s\S]*?(<!-- \/compare -->)/;
  if (!between.test(text)) throw new Problem(`${readme} has no place marked <!-- compare -->.`);
  writeWhole(
    readme,
    text.replace(between, (_, from, to) => `${from}${result}\n${to}`),
  );
}

await runCommand(compare);

async function compare(signal: AbortSignal): Promise<void> {
  const { keep, write: wanted } = readFlags(COMMAND);
  const work = await mkdtemp(join(tmpdir(), 'runner-compare-'));
  try {
    const venv = keep ? resolve(keep) : join(work, 'venv');
    await makeEnvironment(venv);
    const rows = await tryAll(venv, work, signal);
    for (const { tool, kernel, falselyGreen, falselyRed } of rows) {
      process.stdout.write(`\n${tool}, ${kernel}\n`);
      process.stdout.write(`  passes, though it must fail: ${falselyGreen.join(' ') || 'none'}\n`);
      process.stdout.write(`  fails, though it must pass: ${falselyRed.join(' ') || 'none'}\n`);
    }
    process.stdout.write(`\n${table(rows)}\n`);
    if (wanted) for (const [readme, text] of places) await write(readme, text(rows));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
