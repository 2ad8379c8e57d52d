import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { $, which } from 'zx';
import { project } from '../project.js';
import { runCommand } from '../shared/command.mjs';
import { readJson, writeWhole } from '../shared/files.mjs';
import { readFlags } from '../shared/flags.mjs';
import { limiter } from '../shared/limiter.js';
import { Problem } from '../shared/problem.mjs';
import { temporaryFolder } from '../shared/temporary-folder.mjs';
import { failing, passing } from './verdicts/expected.js';
import { pythonFailing, pythonNotebook, pythonPassing } from './verdicts/python-cases.js';

const COMMAND = {
  call: 'npx tsx scripts/runner/compare.ts',
  about: `Runs the notebooks of scripts/runner/verdicts with the tools of the field (jupyter execute, nbmake, papermill;
installed into an environment of their own in a temporary folder) on four kernels: stock tslab, this one, Deno's, and ipykernel
with the same cases in Python. Makes the table of how many notebooks that must fail each of them passes. An hour on two cores.`,
  names: 'stock, own, deno, ipykernel, or the folder of a kernel.json ...',
  flags: {
    tool: {
      value: 'TOOL',
      about:
        "try only this tool: jupyter execute, nbmake, papermill, or a command of yours such as 'my-runner --strict {notebook}'; exit code 0 means that the notebook passed",
    },
    write: {
      about:
        'put each row into the table of scripts/runner/README.md once it is measured, and a sentence into README.md',
    },
    keep: { value: 'FOLDER', about: 'make the environment there, and use it again the next time' },
  },
  notes: `Name your own kernel by the folder that "jupyter kernelspec list" shows. It runs the notebooks in Python if
its kernel.json says that its language is Python, and those in TypeScript otherwise. JUPYTER_PATH is set so that
your own tool finds the kernel under the name that the notebooks have in their metadata.`,
} as const;

const checkout = resolve(import.meta.dirname, '..', '..');
const verdicts = join(import.meta.dirname, 'verdicts');
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
  python?: boolean;
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

/** One of {@link kernels}, or the kernel of a `kernel.json` in a folder. */
async function kernelOf(name: string): Promise<Kernel> {
  if (Object.hasOwn(kernels, name)) return kernels[name]!;
  const spec = readJson(join(name, 'kernel.json'));
  if (!['typescript', 'javascript', 'python'].includes(spec?.language)) {
    const known = Object.keys(kernels).join(', ');
    throw new Problem(
      `Expected ${known} or the folder of a kernel.json for typescript, javascript or python, got ${name}.`,
    );
  }
  const python = spec.language === 'python';
  const install = (folder: string) =>
    cp(name, join(folder, 'kernels', python ? 'python3' : 'tslab'), { recursive: true });
  return { name: spec.display_name, install, python };
}

/** The tool with this name, or a tool that runs this command. Default: all of {@link tools}. Throws a Problem if there is none. */
async function toolsOf(given: string | undefined): Promise<Tool[]> {
  if (given === undefined) return tools;
  const known = tools.filter(({ name }) => name === given);
  if (known.length > 0) return known;
  const words = given.split(' ').filter(Boolean);
  if (!given.includes('{notebook}')) {
    const names = tools.map(({ name }) => name).join(', ');
    throw new Problem(`--tool expects ${names} or a command with {notebook} in it, got "${given}".`);
  }
  // The shell's exit code for a missing command would count as a notebook that failed.
  if (!(await which(words[0]!, { nothrow: true }))) throw new Problem(`--tool: there is no command ${words[0]}.`);
  return [
    { name: given, command: (_, notebook) => words.map((word) => word.replaceAll('{notebook}', () => notebook)) },
  ];
}

/** An environment with the other tools and ipykernel. */
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

interface Trial {
  kernels: Kernel[];
  tools: Tool[];
  /** The environment with the tools of {@link tools}. */
  venv: string;
  /** A folder for the trial's own files. */
  work: string;
  signal: AbortSignal;
}

/** Hands each row to `measured` as soon as it is complete, so that a run that is stopped keeps the rows that it has measured. */
async function tryAll({ kernels, tools, venv, work, signal }: Trial, measured: (row: Row) => void): Promise<void> {
  const run = randomBytes(8).toString('hex');
  const atOnce = limiter(availableParallelism());
  try {
    for (const kernel of kernels) {
      const data = await mkdtemp(join(work, 'kernel-'));
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
        const cases: Row['cases'] = [red.length, green.length];
        measured({ tool: tool.name, kernel: kernel.name, cases, falselyGreen, falselyRed });
      }
    }
  } finally {
    // Stock kernels outlive a tool that is killed.
    const sweep = [join(import.meta.dirname, 'execute.py'), '--mark', `${project.markVariable}=${run}`, '--sweep'];
    await $({ quiet: true })`${project.environment().python} ${sweep}`;
  }
}

const rowStart = (tool: string, kernel: string) => `| ${tool} | ${kernel} |`;

const line = ({ tool, kernel, cases: [red, green], falselyGreen, falselyRed }: Row) =>
  `${rowStart(tool, kernel)} ${falselyGreen.length} of ${red} | ${falselyRed.length} of ${green} |`;

/** The README's table with this row in it. The other rows stay as they are. */
function newTable(old: string, row: Row): string {
  const rows = [line(row), ...old.split('\n')];
  const all = Object.values(kernels).flatMap((kernel) => tools.map((tool) => rowStart(tool.name, kernel.name)));
  const text = all.map((one) => rows.find((text) => text.startsWith(one)) ?? `${one} not measured | not measured |`);
  return [HEAD, ...text, OWN_LINE].join('\n');
}

/** A sentence with the table's numbers for stock tslab. */
function newSentence(table: string): string {
  const rows = tools.flatMap(({ name }) => {
    const [passed = ''] = (table.split(rowStart(name, kernels.stock!.name))[1] ?? '').trim().split(' ');
    return /^\d/.test(passed) ? [`${passed} under ${name}`] : [];
  });
  return `Of ${Object.keys(failing).length} notebooks that must fail, stock tslab passes ${rows.join(', ')}; \`npm run notebooks\` passes none.`;
}

/** Replaces the text between the marks of a README. Returns the new text. */
function write(readme: string, result: (old: string) => string): string {
  const text = readFileSync(readme, 'utf8');
  const between = /(<!-- compare -->\n)([\s\S]*?)\n(<!-- \/compare -->)/;
  const old = between.exec(text)?.[2];
  if (old === undefined) throw new Problem(`${readme} has no place marked <!-- compare -->.`);
  const made = result(old);
  writeWhole(
    readme,
    text.replace(between, (_, from, _old, to) => `${from}${made}\n${to}`),
  );
  return made;
}

function show(row: Row): void {
  process.stdout.write(`${line(row)}\n`);
  process.stdout.write(`  passes, though it must fail: ${row.falselyGreen.join(' ') || 'none'}\n`);
  process.stdout.write(`  fails, though it must pass: ${row.falselyRed.join(' ') || 'none'}\n`);
}

await runCommand(compare);

async function compare(signal: AbortSignal): Promise<void> {
  const { names, keep, tool, write: writes } = readFlags(COMMAND);
  const wanted = await Promise.all((names.length > 0 ? names : Object.keys(kernels)).map(kernelOf));
  const chosen = await toolsOf(tool);
  const known: (Kernel | Tool)[] = [...Object.values(kernels), ...tools];
  if (writes && [...wanted, ...chosen].some((one) => !known.includes(one))) {
    throw new Problem('--write is for the kernels and tools of the table. Leave it out: the result is printed, too.');
  }
  const { path: work, remove } = temporaryFolder('runner-compare-');
  try {
    const venv = keep ? resolve(keep) : join(work, 'venv');
    await makeEnvironment(venv);
    process.stdout.write(`${HEAD}\n`);
    await tryAll({ kernels: wanted, tools: chosen, venv, work, signal }, (row) => {
      show(row);
      if (!writes) return;
      const table = write(join(import.meta.dirname, 'README.md'), (old) => newTable(old, row));
      write(join(checkout, 'README.md'), () => newSentence(table));
    });
  } finally {
    remove();
  }
}
