import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CellProblem, checkCells, type Parsed, problemLine } from './check-cells.js';
import { parseNotebook } from './notebook.js';

type Tagged = [source: string, ...tags: string[]];

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'check-cells ')));
});
afterAll(() => rm(folder, { recursive: true }));

let count = 0;
/** The compiler's library and the types of Node, read once for all checks here. */
const parsed: Parsed = new Map();
const check = (...cells: (string | Tagged)[]) => checkWith({ strict: true }, ...cells);

function checkWith(compilerOptions: object, ...cells: (string | Tagged)[]): CellProblem[] {
  count += 1;
  const path = join(folder, `notebook-${count}.ipynb`);
  const raw = cells.map((cell) => {
    const [source, ...tags] = typeof cell === 'string' ? [cell] : cell;
    return { cell_type: 'code', source, metadata: { tags } };
  });
  const metadata = { kernelspec: { name: 'tslab' }, key: { compilerOptions } };
  return checkCells([parseNotebook(path, JSON.stringify({ nbformat: 4, metadata, cells: raw }), 'key')], {
    base: folder,
    parsed,
  });
}

const brief = (problems: CellProblem[]) =>
  problems.map(({ cell, line, column, message }) => `${cell! + 1}, ${line}:${column} ${message}`);

describe('checkCells accepts what tslab accepts', () => {
  it('a call of what an awaited call returns, though the compiler fails over its declarations', async () => {
    const rig = `export interface Run<F> { fetch: F }
      export const experiment = <F>(fetch: F): Run<F> => ({ fetch });`;
    await writeFile(join(folder, 'rig.ts'), rig);
    const source = `const run = experiment(async (url: string) => ({ json: async (): Promise<unknown> => url }));
      await (await run.fetch('')).json();`;
    expect(check("import { experiment } from './rig.js';", source)).toEqual([]);
    expect(brief(check("import { experiment } from './rig.js';", `${source}\nconst n: number = '';`))).toHaveLength(1);
  });

  it.each<[string, (string | Tagged)[]]>([
    ['names of earlier cells', ['const a = 1;', 'const b: number = a;', 'b + a;']],
    ['a name declared again', ['const a = 1;', "const a = 'text';", 'a.toUpperCase();']],
    ['a function declared again', ['function f() { return 1; }', "function f() { return ''; }", 'f().at(0);']],
    ['an assignment in a later cell', ['let a = 1;', 'a = 2;\na += 1;']],
    ['await at top level', ['const a = await Promise.resolve(1);', 'a.toFixed();']],
    ['for await at top level', ['for await (const one of [1]) one.toFixed();']],
    [
      'types across cells',
      ['interface A<T> { a: T }\nenum E { x }\nclass C { #p = 1 }', 'const a: A<E> = { a: E.x };\nlet c = new C();'],
    ],
    ['a type and a value of one name', ['interface A { a: 1 }\nconst A: A = { a: 1 };', 'const b: A = A;']],
    [
      'imports used later',
      [
        "import { join } from 'node:path';\nimport type { Stats } from 'node:fs';",
        "join('a');\nlet s: Stats | undefined;",
      ],
    ],
    ['destructuring', ['const { a, b: [c] } = { a: 1, b: [2] };', 'a + c;']],
    ["tslab's own module", ["import * as tslab from 'tslab';", "tslab.display.html('');"]],
    [
      "tslab's named modules",
      ['/** @module shapes */\nexport const side = 2;', "import { side } from './shapes';\nside.toFixed();"],
    ],
    ['what is not run', [['not even TypeScript', 'skip-execution']]],
    ['what is expected to fail', [["const a: number = 'text';", 'raises-exception']]],
    ['names that a cell exports itself', ['export const a = 1;\nexport interface A { a: 1 }', 'const b: A = { a };']],
    ['what the running Node has', ['[2, 1].findLast((one) => one > 1)?.toFixed();']],
    ['nothing', ['']],
  ])('%s', (_, cells) => {
    expect(brief(check(...cells))).toEqual([]);
  });
});

it('without options of its own, a notebook is checked as leniently as stock tslab does', () => {
  expect(checkWith({}, 'function add(a, b) { return a + b; }', 'let n: number = null;')).toEqual([]);
});

describe('checkCells tells cell, line and column of', () => {
  it.each<[string, (string | Tagged)[], string[]]>([
    [
      'a wrong type',
      ['const a = 1;', '// a comment\n  const b: string = a;'],
      ["2, 2:9 Type 'number' is not assignable to type 'string'."],
    ],
    ['what strict refuses', ['function f(x) { return x; }'], ["1, 1:12 Parameter 'x' implicitly has an 'any' type."]],
    ['a syntax error, once', ['const a = ;', 'a;'], ['1, 1:11 Expression expected.']],
    ['an unknown name', ['one;'], ["1, 1:1 Cannot find name 'one'."]],
    ['a name of a later cell', ['a;', 'const a = 1;'], ["1, 1:1 Cannot find name 'a'."]],
    [
      'the type that is the latest',
      ['let a = 1;', "let a = '';", 'a = 1;'],
      ["3, 1:1 Type 'number' is not assignable to type 'string'."],
    ],
    [
      'an assignment to a constant',
      ['const a = 1;', 'a = 2;'],
      ["2, 1:1 Cannot assign to 'a' because it is a constant."],
    ],
    [
      'a value that may be missing, though the cell before knew better',
      ["let a: string | undefined = 'x';", 'a.length;'],
      ["2, 1:1 'a' is possibly 'undefined'."],
    ],
    [
      'await in a function that is not async',
      ['function f() { await 1; }'],
      ["1, 1:16 'await' expressions are only allowed within async functions and at the top levels of modules."],
    ],
    [
      'a module that is not there',
      ["import x from 'no-such-module';"],
      ["1, 1:15 Cannot find module 'no-such-module' or its corresponding type declarations."],
    ],
    [
      'each faulty cell, not those behind it',
      ["const a: number = '';", 'a.toFixed();', "const b: number = '';"],
      [
        "1, 1:7 Type 'string' is not assignable to type 'number'.",
        "3, 1:7 Type 'string' is not assignable to type 'number'.",
      ],
    ],
  ])('%s', (_, cells, problems) => {
    expect(brief(check(...cells))).toEqual(problems);
  });
});

describe('checkCells, for a stock tslab too,', () => {
  const stock = (...cells: string[]) => {
    const raw = cells.map((source) => ({ cell_type: 'code', source, metadata: {} }));
    const content = { nbformat: 4, metadata: { kernelspec: { name: 'tslab' } }, cells: raw };
    const notebook = parseNotebook(join(folder, 'stock.ipynb'), JSON.stringify(content), 'key');
    expect(checkCells([notebook], { parsed })).toEqual([]);
    return checkCells([notebook], { stock: true, parsed }).map(problemLine);
  };
  const jobs = 'const jobs = [{ job: { state: 1 }, id: 2 }];';

  it.each([
    ['a nested pattern', 'jobs.map(({ job: { state } }) => state);', '2, 1:13', 'job: { state }', 'job'],
    ['a property under another name', 'const [{ id: mine }] = jobs;', '2, 1:10', 'id: mine', 'id'],
  ])('refuses %s of a type of an earlier cell', (_, cell, at, pattern, name) => {
    expect(stock(jobs, cell)).toEqual([
      expect.stringMatching(
        `stock.ipynb, cell ${at} A stock tslab compiles "${pattern}" wrongly: take "${name}" itself.$`,
      ),
    ]);
  });

  it.each([
    ['patterns in arrays', [jobs, 'for (const [at, { job }] of jobs.entries()) at + job.state;']],
    ['its own types', [`${jobs}\nconst [{ id: mine }] = jobs;`]],
    ['types of libraries', ["import { parse } from 'node:path';", "const { base: name } = parse('a/b');"]],
  ])('accepts %s', (_, cells) => {
    expect(stock(...cells)).toEqual([]);
  });
});

describe("checkCells and the project's packages", () => {
  it('finds the types of a package that has only exports', async () => {
    const modern = join(folder, 'node_modules', 'modern');
    await mkdir(modern, { recursive: true });
    await writeFile(join(modern, 'package.json'), '{ "exports": { "import": { "types": "./types.d.ts" } } }');
    await writeFile(join(modern, 'types.d.ts'), 'export const n: number;');
    expect(brief(check("import { n } from 'modern';\nn.toFixed();", "n.at('');"))).toEqual([
      "2, 1:3 Property 'at' does not exist on type 'number'.",
    ]);
  });

  it('compiles with the TypeScript that package.json names', async () => {
    const manifest = join(folder, 'package.json');
    const modules = join(folder, 'node_modules');
    await mkdir(join(modules, 'newest'), { recursive: true });
    await writeFile(join(modules, 'newest', 'package.json'), '{ "version": "7.0.2" }');
    await symlink(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), join(modules, 'own'));
    const cell = 'using f = { n: 1, [Symbol.dispose]() {} };\nlet n: NoInfer<string> = f.n;';
    const written = (name: unknown) => writeFile(manifest, JSON.stringify({ tslab: { compiler: name } }));
    await written('own');
    expect(brief(check(cell))).toEqual(["1, 2:5 Type 'number' is not assignable to type 'string'."]);
    await written('nowhere');
    expect(() => check(cell)).toThrow('it is not installed: npm i -D nowhere.');
    await written('newest');
    expect(() => check(cell)).toThrow('its version is 7.0.2: expected 5 or 6.');
    await written(true);
    expect(() => check(cell)).toThrow('the name of a package, such as "typescript"');
    await rm(manifest);
  });
});

describe('checkCells and files beside the notebook', () => {
  it('checks what cells import, once', async () => {
    await mkdir(join(folder, 'lib'), { recursive: true });
    await writeFile(join(folder, 'lib', 'broken.ts'), "export const a: number = '';\nexport const b = 1;\n");
    const problems = check("import { b } from './lib/broken';", "import { a } from './lib/broken';\na + b;");
    expect(problems.map((one) => ({ ...one, notebook: '' }))).toEqual([
      {
        notebook: '',
        cell: null,
        file: join('lib', 'broken.ts'),
        line: 1,
        column: 14,
        code: 2322,
        message: "Type 'string' is not assignable to type 'number'.",
      },
    ]);
  });

  it('reads well', () => {
    const [problem] = check('one;');
    expect(problemLine({ ...problem!, notebook: 'notebooks/a.ipynb' })).toBe(
      "notebooks/a.ipynb, cell 1, 1:1 Cannot find name 'one'. (TS2304)",
    );
  });
});
