import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
import { pythonFailing, pythonNotebook, pythonPassing } from './verdicts/python-cases.js';

const COMMAND = {
  call: 'npx tsx scripts/runner/compare.ts',
  about: `Runs the notebooks of scripts/runner/verdicts with the tools of the field (jupyter execute, nbmake, papermill;
installed into an environment of their own in a temporary folder) on four kernels: stock tslab, this one, Deno's, and ipykernel
with the same cases in Python. Makes the table of how many notebooks that must fail each of them passes. An hour on two cores.`,
  names: 'stock, own, deno or ipykernel ...',
  flags: {
    write: { about: 'put the table into scripts/runner/README.md, and a sentence into README.md' },
    keep: { value: 'FOLDER', about: 'make the environment there, and use it again the next time' },
  },
} as const;

const checkout = resolve(import.meta.dirname, '..', '..');
const verdicts = join(import.meta.dirname, 'verdicts');
/** The files that the result is written to, between marks: as a table, and as a sentence. */
const places: [readme: string, text: (old: string, rows: Row[]) => string][] = [
  [join(import.meta.dirname, 'README.md'), newTable],
  [join(checkout, 'README.md'), newSentence],
];
const HEAD = '| tool | kernel | must fail, and passed | must pass, and failed |\n| --- | --- | --: | --: |';
const OWN_LINE = `| \`npm run notebooks\` | this kernel | 0 of ${Object.keys(failing).length} | 0 of ${passing.length} |`;
/** The version of npm's package `deno`. */
const DENO = '2.9.6';
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
  kernel: string;
  /** Of how many that must fail, and of how many that must pass. */
  cases: [failing: number, passing: number];
  /** Notebooks that must fail and passed. */
  falselyGreen: string[];
  /** Notebooks that must pass and failed. */
  falselyRed: string[];
}

/** What the tools are tried on: a kernel, and notebooks for it. */
interface Kernel {
  name: string;
  /** Makes the kernel available under the name that the notebooks have, in `folder/kernels`. */
  install(folder: string, venv: string): Promise<void>;
  python?: true;
}

const kernels: Record<string, Kernel> = {
  stock: { name: 'stock tslab', install: (folder) => writeKernel(folder, 'tslab', stockCommand()) },
  own: {
    name: 'this kernel',
    install: (folder) => cp(project.environment().kernels, join(folder, 'kernels'), { recursive: true }),
  },
  deno: { name: `Deno ${DENO}`, install: installDeno },
  ipykernel: {
    name: 'ipykernel (Python)',
    install: (folder, venv) => {
      const command = [join(venv, 'bin', 'python'), '-m', 'ipykernel_launcher', '-f', '{connection_file}'];
      return writeKernel(folder, 'python3', command);
    },
    python: true,
  },
};
const isKernel = (name: string) => Object.hasOwn(kernels, name);

/** An environment with the other tools and one kernel named `tslab`. */
async function makeEnvironment(folder: string): Promise<void> {
  await $`python3 -m venv ${folder}`;
  await $`${join(folder, 'bin', 'pip')} install --quiet --requirement ${join(import.meta.dirname, 'requirements-compare.txt')}`;
}

async function writeKernel(folder: string, name: string, argv: string[]): Promise<void> {
  await mkdir(join(folder, 'kernels', name), { recursive: true });
  const spec = { argv, display_name: name, language: name === 'python3' ? 'python' : 'typescript' };
  await writeFile(join(folder, 'kernels', name, 'kernel.json'), JSON.stringify(spec));
}

/** As `tslab install` writes it, for this checkout's tslab. */
function stockCommand(): string[] {
  const tslab = dirname(createRequire(import.meta.url).resolve('tslab/package.json'));
  return [process.execPath, join(tslab, 'bin', 'tslab'), 'kernel', '--config-path={connection_file}'];
}

/** Deno as npm has it: its binary is in a package of its own, for each platform. */
async function installDeno(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  await $({ cwd: folder, quiet: true })`npm install --no-audit --no-fund --ignore-scripts deno@${DENO}`;
  const packages = join(folder, 'node_modules', '@deno');
  const [platform] = await readdir(packages);
  await writeKernel(folder, 'tslab', [
    join(packages, platform!, 'deno'),
    'jupyter',
    '--kernel',
    '--conn',
    '{connection_file}',
  ]);
}

/** The folder with the notebooks for a kernel, and their names. */
async function casesFor(kernel: Kernel, work: string): Promise<{ folder: string; green: string[]; red: string[] }> {
  if (!kernel.python) return { folder: verdicts, green: passing, red: Object.keys(failing) };
  const folder = join(work, 'python');
  await mkdir(folder, { recursive: true });
  for (const [name, cells] of Object.entries({ ...pythonFailing, ...pythonPassing })) {
    await writeFile(join(folder, `${name}.ipynb`), pythonNotebook(cells));
  }
  const names = (cases: object) => Object.keys(cases).map((name) => `${name}.ipynb`);
  return { folder, green: names(pythonPassing), red: names(pythonFailing) };
}

async function tryAll(wanted: string[], venv: string, work: string, signal: AbortSignal): Promise<Row[]> {
  const run = randomBytes(8).toString('hex');
  const atOnce = limiter(availableParallelism());
  const rows: Row[] = [];
  try {
    for (const name of wanted) {
      const kernel = kernels[name]!;
      const data = join(work, name);
      await kernel.install(data, venv);
      const { folder, green, red } = await casesFor(kernel, work);
      for (const tool of tools) {
        const passes = async (notebook: string): Promise<boolean> => {
          signal.throwIfAborted();
          const [command, ...args] = tool.command(join(venv, 'bin'), join(folder, notebook), work);
          const env = {
            ...process.env,
            JUPYTER_PATH: data,
            JUPYTER_PREFER_ENV_PATH: '0',
            JUPYTER_RUNTIME_DIR: join(work, 'runtime'),
            DENO_DIR: join(work, 'deno-cache'),
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
        const falselyGreen = await judge(red, true);
        const falselyRed = await judge(green, false);
        const row: Row = {
          tool: tool.name,
          kernel: kernel.name,
          cases: [red.length, green.length],
          falselyGreen,
          falselyRed,
        };
        rows.push(row);
        process.stdout.write(`${line(row)}\n`);
      }
    }
  } finally {
    // Stock kernels outlive a tool that is killed.
    const sweep = [join(import.meta.dirname, 'execute.py'), '--mark', `${project.markVariable}=${run}`, '--sweep'];
    await $({ quiet: true })`${project.environment().python} ${sweep}`;
  }
  return rows;
}

const line = ({ tool, kernel, cases: [red, green], falselyGreen, falselyRed }: Row) =>
  `| ${tool} | ${kernel} | ${falselyGreen.length} of ${red} | ${falselyRed.length} of ${green} |`;

const table = (rows: Row[]): string => `${HEAD}\n${rows.map(line).join('\n')}\n${OWN_LINE}`;

/** The table in a README with these rows in place of those for the same kernels; the others stay as they are. */
function newTable(old: string, rows: Row[]): string {
  const kept = old
    .split('\n')
    .filter(
      (text) => text.startsWith('| ') && !text.startsWith('| tool') && !text.startsWith('| ---') && text !== OWN_LINE,
    );
  const tried = new Set(rows.map(({ kernel }) => kernel));
  const others = kept.filter((text) => !tried.has(text.split(' | ')[1] ?? ''));
  const place = (text: string) => Object.values(kernels).findIndex(({ name }) => text.includes(`| ${name} |`));
  return [HEAD, ...[...others, ...rows.map(line)].sort((a, b) => place(a) - place(b)), OWN_LINE].join('\n');
}

function newSentence(old: string, rows: Row[]): string {
  const stock = rows.filter(({ kernel }) => kernel === kernels.stock!.name);
  if (stock.length === 0) return old;
  const passed = stock.map(({ tool, falselyGreen }) => `${falselyGreen.length} under ${tool}`).join(', ');
  return `Of ${Object.keys(failing).length} notebooks that must fail, stock tslab passes ${passed}; \`npm run notebooks\` passes none.`;
}

async function write(readme: string, result: (old: string) => string): Promise<void> {
  const text = await readFile(readme, 'utf8');
  const between = /(<!-- compare -->\n)([\s\S]*?)\n(<!-- \/compare -->)/;
  if (!between.test(text)) throw new Problem(`${readme} has no place marked <!-- compare -->.`);
  writeWhole(
    readme,
    text.replace(between, (_, from, old, to) => `${from}${result(old)}\n${to}`),
  );
}

await runCommand(compare);

async function compare(signal: AbortSignal): Promise<void> {
  const { names, keep, write: wanted } = readFlags(COMMAND);
  const unknown = names.find((name) => !isKernel(name));
  if (unknown) throw new Problem(`Expected the names of kernels (${Object.keys(kernels).join(', ')}), got ${unknown}.`);
  const work = await mkdtemp(join(tmpdir(), 'runner-compare-'));
  try {
    const venv = keep ? resolve(keep) : join(work, 'venv');
    await makeEnvironment(venv);
    const rows = await tryAll(names.length > 0 ? names : Object.keys(kernels), venv, work, signal);
    for (const { tool, kernel, falselyGreen, falselyRed } of rows) {
      process.stdout.write(`\n${tool}, ${kernel}\n`);
      process.stdout.write(`  passes, though it must fail: ${falselyGreen.join(' ') || 'none'}\n`);
      process.stdout.write(`  fails, though it must pass: ${falselyRed.join(' ') || 'none'}\n`);
    }
    process.stdout.write(`\n${table(rows)}\n`);
    if (wanted) for (const [readme, text] of places) await write(readme, (old) => text(old, rows));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
