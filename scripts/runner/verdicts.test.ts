import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { project } from '../project.js';
import { plain } from '../shared/visible.mjs';
import { checkCells } from './check-cells.js';
import { type Notebook, readNotebook } from './notebook.js';
import type { Result } from './result.js';
import { type RunOptions, run } from './run.js';
import { type Expected, failing, passing, soakOnly, withServer } from './verdicts/expected.js';

// Small notebooks, each named by what it does, through the real runner and the real kernel.
const folder = join(import.meta.dirname, 'verdicts');
const runNow = (name: string) => Boolean(process.env.SOAK) || !soakOnly.has(name);
// Longer than the slowest machine takes: only a test that hangs is ended.
const HANGS_MS = 20 * 60_000;
const silent = { began: () => {}, step: () => {}, finished: () => {} };
let out: string;

interface Copy {
  cells: {
    execution_count: number | null;
    outputs: { output_type: string; name?: string; text?: string[]; ename?: string }[];
  }[];
}

function options(more: Partial<RunOptions>): RunOptions {
  return {
    project,
    out,
    jobs: 6,
    repeat: 1,
    cellSeconds: 120,
    notebookSeconds: 240,
    withServer: false,
    leaksFail: true,
    bail: false,
    sources: new Map(),
    known: new Map(),
    signal: new AbortController().signal,
    ...more,
  };
}

const read = (paths: string[]): Promise<Notebook[]> =>
  Promise.all(paths.map((path) => readNotebook(path, project.metadataKey)));

async function execute(names: string[], more: Partial<RunOptions> = {}): Promise<Map<string, Result>> {
  const results = await run(await read(names.map((name) => join(folder, name))), options(more), silent);
  return new Map(results.map((result) => [basename(result.path), result]));
}

const copyOf = async (result: Result | undefined): Promise<Copy> => JSON.parse(await readFile(result!.copy!, 'utf8'));

function expectFailure(result: Result | undefined, expected: Expected): void {
  const { failure } = result!;
  expect(failure).not.toBeNull();
  expect(failure!.kind).toBe(expected.kind);
  if (typeof expected.message === 'string') expect(failure!.message).toBe(expected.message);
  else expect(failure!.message).toMatch(expected.message);
  if (expected.kind === 'notebook-timeout') expect(failure!.cell).not.toBeNull();
  else expect(failure!.cell === null ? null : failure!.cell + 1).toBe(expected.cell);
  if (!expected.kind.endsWith('timeout')) expect(failure!.line ?? undefined).toBe(expected.line);
}

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'verdicts-'));
});
afterAll(() => rm(out, { recursive: true, force: true }));

describe('verdicts', () => {
  let results: Map<string, Result>;
  beforeAll(async () => {
    results = await execute([...Object.keys(failing), ...passing].filter(runNow));
  }, HANGS_MS);

  it('are expected of every notebook in the folder', async () => {
    const files = (await readdir(folder)).filter((name) => name.endsWith('.ipynb'));
    expect([...Object.keys(failing), ...passing].sort()).toEqual(files.sort());
  });

  it.each(Object.entries(failing).filter(([name]) => runNow(name)))('%s fails as it must', (name, expected) => {
    expectFailure(results.get(name), expected);
  });

  it.each(passing.filter(runNow))('%s passes, every cell of it', (name) => {
    const { status, failure, cells } = results.get(name)!;
    expect({ status, failure }).toEqual({ status: 'passed', failure: null });
    expect(cells.filter((cell) => !['ran', 'raised', 'skipped', 'empty'].includes(cell.status))).toEqual([]);
  });

  it('are given without a cell run twice or behind the failure', async () => {
    const result = results.get('throws.ipynb')!;
    expect(result.cells.map(({ status }) => status)).toEqual(['ran', 'failed', 'not-run']);
    const { cells } = await copyOf(result);
    expect(cells.map(({ execution_count }) => execution_count)).toEqual([1, 2, null]);
    expect(cells[1]!.outputs.map(({ output_type }) => output_type)).toEqual(['stream', 'error']);
    expect(cells[2]!.outputs).toEqual([]);
  });

  it('say where: with the line as the reader wrote it, and the cause', () => {
    const { failure } = results.get('throws-error-with-cause.ipynb')!;
    const traceback = plain(failure!.traceback.join('\n'));
    expect(traceback).toContain("----> 4 |   throw new Error('could not read the job'");
    expect(traceback).toContain('Caused by SyntaxError');
    expect(traceback).not.toMatch(/node_modules|scripts\/kernel/);
  });

  it('come with all of the output, in order', async () => {
    const { cells } = await copyOf(results.get('prints-100000-lines.ipynb'));
    const text = cells[0]!.outputs.map((output) => output.text!.join('')).join('');
    const lines = Array.from({ length: 100_000 }, (_, index) => `line ${index + 1}\n`);
    expect(cells[0]!.outputs).toHaveLength(1);
    expect(text === lines.join('')).toBe(true);
    expect(cells[1]!.outputs.map((output) => output.text)).toEqual([['after\n']]);
  });

  it('come with output in the cell that caused it', async () => {
    const { cells } = await copyOf(results.get('prints-from-earlier-cell.ipynb'));
    expect(cells.map(({ outputs }) => outputs.map(({ text }) => text))).toEqual([
      [['from the first cell\n']],
      [['from the second cell\n']],
    ]);
  });

  it(
    'of the type checker are those of the kernel',
    async () => {
      const compileErrors = Object.entries(failing).flatMap(([name, { message }]) =>
        typeof message === 'string' && message.startsWith('CompileError: ')
          ? [`${name}: ${message.replace('CompileError: ', '')}`]
          : [],
      );
      const notebooks = await read([...Object.keys(failing), ...passing].map((name) => join(folder, name)));
      const problems = checkCells(notebooks).map(
        ({ notebook, message, code }) => `${basename(notebook)}: ${message} (TS${code})`,
      );
      expect(problems.sort()).toEqual(compileErrors.sort());
    },
    HANGS_MS,
  );
});

describe('with a server of its own', () => {
  let results: Map<string, Result>;
  beforeAll(async () => {
    const names = [...Object.keys(withServer.failing), ...withServer.passing];
    results = await execute(
      names.map((name) => `with-server/${name}`),
      { withServer: true },
    );
  }, HANGS_MS);

  it.each(Object.entries(withServer.failing))('%s fails as it must', (name, expected) => {
    expectFailure(results.get(name), expected);
  });

  it.each(withServer.passing)('%s passes', (name) => {
    expect(results.get(name)!.failure).toBeNull();
  });
});

describe('a notebook of another repository', () => {
  it(
    'runs in its own folder, with the packages that it has there, as it was when it was read',
    async () => {
      const home = await realpath(await mkdtemp(join(tmpdir(), 'another repository é ')));
      try {
        const greeting = join(home, 'node_modules', 'greeting');
        await mkdir(greeting, { recursive: true });
        await writeFile(join(greeting, 'index.js'), "exports.hello = 'hello';");
        await writeFile(join(greeting, 'index.d.ts'), 'export const hello: string;');
        const sources = ["import { hello } from 'greeting';", 'console.log(hello, process.cwd());'];
        const cells = sources.map((source) => ({ cell_type: 'code', source, metadata: {}, outputs: [] }));
        const metadata = { kernelspec: { name: 'tslab', display_name: 'TypeScript' } };
        const path = join(home, 'greets.ipynb');
        await writeFile(path, JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata, cells }));
        const notebooks = await read([path]);
        await writeFile(path, 'somebody saves it meanwhile');
        const [result] = await run(notebooks, options({}), silent);
        expect(result!.failure).toBeNull();
        const copy = await copyOf(result);
        expect(copy.cells[1]!.outputs.map(({ text }) => text)).toEqual([[`hello ${home}\n`]]);
      } finally {
        await rm(home, { recursive: true });
      }
    },
    HANGS_MS,
  );
});

describe('options', () => {
  it(
    'repeat, parameters and leaks that are allowed',
    async () => {
      const path = join(folder, 'has-parameters.ipynb');
      const source = "const clients = 100;\nconst pace: 'slow' | 'fast' = 'fast';";
      const results = await run(
        await read([path, join(folder, 'leaves-timer-pending.ipynb')]),
        options({ repeat: 2, leaksFail: false, sources: new Map([[path, { 0: source }]]) }),
        silent,
      );
      expect(results.map(({ failure }) => failure)).toEqual([null, null, null, null]);
      expect(results.map(({ repeat }) => repeat).sort()).toEqual([1, 1, 2, 2]);
      const parametrized = results.filter(({ notebook }) => notebook.endsWith('has-parameters.ipynb'));
      for (const result of parametrized) {
        const { cells } = await copyOf(result);
        expect(cells[1]!.outputs.map(({ text }) => text)).toEqual([['100 fast\n']]);
      }
      const leaks = results.filter(({ notebook }) => notebook.includes('leaves')).map((one) => one.leaks);
      expect(leaks).toEqual([['1 timer is still pending'], ['1 timer is still pending']]);
    },
    HANGS_MS,
  );

  it(
    'bail starts no further notebook',
    async () => {
      const results = await execute(['throws.ipynb', 'prints.ipynb'], { jobs: 1, bail: true });
      expect([...results.keys()]).toEqual(['throws.ipynb']);
    },
    HANGS_MS,
  );
});
