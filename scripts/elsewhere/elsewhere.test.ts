// The course without `npm start`: other ways to run a notebook, and other kernels.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { placeInPrefix, register } from '../kernel/cli/registration.mjs';
import { kernelOf } from '../setup/steps.mjs';
import {
  dataOf,
  type ICodeCell,
  isCode,
  type MultilineString,
  readNotebookFile,
  textOf,
} from '../shared/notebook-file.js';
import { checkout, courseNotebooks } from '../shared/paths.mjs';
import { run } from '../shared/run.js';
import { borrowedCheckout } from '../test/borrow.js';

/** SOAK=1: all notebooks, and papermill, which is installed for it. */
const SOAK = Boolean(process.env.SOAK);
const NOTEBOOKS = SOAK ? courseNotebooks(checkout) : ['02-a-job-and-its-id.ipynb'];
const RUN_MS = 300_000;

let copy: ReturnType<typeof borrowedCheckout>;
let work: string;
beforeAll(() => {
  work = realpathSync(mkdtempSync(join(tmpdir(), 'polling-lab-elsewhere-')));
  copy = borrowedCheckout();
  const settings = join(copy.root, 'scripts', 'kernel-settings.json');
  for (const [name, argv] of [
    [
      'ours',
      ['--max-semi-space-size=32', join(copy.kernel, 'launch.cjs'), '--settings', settings, '{connection_file}'],
    ],
    ['stock', [join(copy.nodeModules, 'tslab', 'bin', 'tslab'), 'kernel', '--config-path={connection_file}']],
  ] as const) {
    const folder = join(work, 'kernels', name);
    const spec = { argv: [process.execPath, ...argv], display_name: name, language: 'typescript' };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'kernel.json'), JSON.stringify(spec));
  }
});
afterAll(() => {
  copy?.remove();
  if (work) rmSync(work, { recursive: true, force: true });
});

/** Runs a program that executes a notebook; resolves with the code cells of what it wrote. */
async function execute(command: string, args: string[], written: string): Promise<ICodeCell[]> {
  const cwd = join(copy.root, 'notebooks');
  const env = { POLLING_LAB_URL: undefined, JUPYTER_PATH: work }; // the notebook starts a server of its own
  const { exitCode, stdall } = await run([command, ...args], { cwd, env });
  expect(exitCode, stdall).toBe(0);
  return (await readNotebookFile(written)).content.cells.filter(isCode);
}

const jupyterExecute = (kernel: string, notebook: string) => {
  const written = join(work, `${kernel}-${notebook}`);
  const args = [
    '-c',
    'from nbclient.cli import main; main()',
    `--kernel_name=${kernel}`,
    `--output=${written}`,
    notebook,
  ];
  return execute(copy.python, args, written);
};

const outputsOf = (cells: ICodeCell[]) => cells.flatMap(({ outputs }) => outputs);
const charts = (cells: ICodeCell[], type: string, text = '') =>
  outputsOf(cells).filter((output) => type in dataOf(output) && String(dataOf(output)[type]).includes(text)).length;
/** What a stock tslab says when somebody writes to a folder that it watches, be it /tmp. It goes on all the same. */
const WATCHER = /UncaughtException: Error: Unexpected pending rebuildTimer\n(?: {4}at .*\n)*/g;
/** Errors, and what is on stderr: a stock tslab tells an error there, and goes on. */
const failures = (cells: ICodeCell[]) =>
  outputsOf(cells).filter(({ output_type, name, text = '' }) => {
    const said = textOf(text as MultilineString).replace(WATCHER, '');
    return output_type === 'error' || (name === 'stderr' && said !== '');
  });

describe.each(NOTEBOOKS)('%s', (notebook) => {
  test('under plain `jupyter execute`, and with a stock tslab, whose charts are SVG', {
    timeout: 2 * RUN_MS,
  }, async () => {
    const [ours, stock] = await Promise.all([jupyterExecute('ours', notebook), jupyterExecute('stock', notebook)]);
    expect(failures(ours)).toEqual([]);
    expect(failures(stock)).toEqual([]);
    expect(charts(stock, 'text/html', '<svg')).toBe(charts(ours, 'application/vnd.vegalite.v5+json'));
  });

  if (!SOAK) return;
  test('under papermill', { timeout: RUN_MS }, async () => {
    const written = join(work, `papermill-${notebook}`);
    const cells = await execute(await papermill(), ['--kernel', 'ours', '--cwd', '.', notebook, written], written);
    expect(failures(cells)).toEqual([]);
  });
});

if (SOAK)
  test(
    'papermill passes parameters, where the kernels were registered with --into',
    async () => {
      const command = await papermill();
      const prefix = join(work, 'papermill');
      register(kernelOf(copy), placeInPrefix(prefix));
      const cell = (source: string, ...tags: string[]) => ({
        ...{ cell_type: 'code', execution_count: null, outputs: [], source },
        metadata: { tags },
      });
      for (const [kernel, type] of [
        ['tslab', ": 'a' | 'b'"],
        ['jslab', ''],
      ] as const) {
        const cells = [
          cell(`const count = 1; const who${type} = 'a'; let parts = {};`, 'parameters'),
          cell(`const only = (w${type}) => w;\nconsole.log(count + 1, only(who), parts)`),
        ];
        const notebook = join(work, `parameters-${kernel}.ipynb`);
        const language = kernel === 'tslab' ? 'typescript' : 'javascript';
        const metadata = { kernelspec: { name: kernel, language, display_name: language } };
        writeFileSync(notebook, JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata, cells }));
        const written = join(work, `parameters-${kernel}-written.ipynb`);
        const given = [
          '--cwd',
          work,
          '-p',
          'count',
          '41',
          '-p',
          'who',
          'b',
          '-y',
          '{parts: {"x y": [2.5, null, true, "é\\n"]}}',
        ];
        const outputs = outputsOf(await execute(command, [...given, notebook, written], written));
        const text = [outputs[0]?.text ?? ''].flat().join('');
        expect(text).toBe("42 b { 'x y': [ 2.5, null, true, 'é\\n' ] }\n");
      }
    },
    RUN_MS,
  );

let installed: string | undefined;
async function papermill(): Promise<string> {
  if (installed) return installed;
  const venv = join(work, 'papermill');
  const pip = ['-m', 'pip', 'install', '--quiet', 'papermill==2.7.0'];
  for (const command of [
    [copy.python, '-m', 'venv', venv],
    [join(venv, 'bin', 'python'), ...pip],
  ]) {
    const { exitCode, stderr } = await run(command);
    if (exitCode !== 0) throw new Error(stderr);
  }
  installed = join(venv, 'bin', 'papermill');
  return installed;
}
