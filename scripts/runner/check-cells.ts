import { dirname, join, relative } from 'node:path';
import type TypeScript from 'typescript';
import { chooseCompiler } from '../kernel/choose-compiler.js';
import { cellOptions, moduleResolver } from '../kernel/options.js';
import { Problem } from '../shared/problem.mjs';
import { type CellModule, cellModules, cellPath } from './cell-modules.js';
import { compiler, tslabFolder } from './kernel.js';
import type { Notebook } from './notebook.js';

const tslab = tslabFolder();
type Compiler = typeof TypeScript;

/** The files that compilers have parsed, by their paths. */
export type Parsed = Map<Compiler, Map<string, TypeScript.SourceFile | undefined>>;

/** An error of the compiler in a cell, or in a file that cells import. */
export interface CellProblem {
  notebook: string;
  /** Position of the cell, from 0; null for a file that cells import. */
  cell: number | null;
  /** The imported file that has the error; null if the cell has it. */
  file: string | null;
  /** From 1. */
  line: number;
  column: number;
  /** The compiler's number of the error; null for what only a stock tslab compiles wrongly. */
  code: number | null;
  message: string;
}

/** `notebook, cell N, line:column message`. */
export function problemLine(problem: CellProblem): string {
  const where = problem.cell === null ? '' : `, cell ${problem.cell + 1}`;
  const file = problem.file ? `, ${problem.file}` : '';
  const at = `${problem.line}:${problem.column}`;
  const code = problem.code === null ? '' : ` (TS${problem.code})`;
  return `${problem.notebook}${where}${file}, ${at} ${problem.message}${code}`;
}

/**
 * Type-checks the cells of notebooks, each notebook for itself, with the kernel's own options. Files are named by their
 * paths from the folder `base`. Default: the current one. With `stock`, it also reports what a stock tslab compiles wrongly
 * (see `renamedProperties`). Default: false. `key` is the member of a `package.json` that may name a compiler. Default: `tslab`.
 * `parsed` keeps the files of packages for a later check, which does not read them again.
 */
export function checkCells(
  notebooks: Notebook[],
  { base = process.cwd(), stock = false, key = 'tslab', parsed = new Map() as Parsed } = {},
): CellProblem[] {
  const reported = new Set<string>();
  const problems = notebooks.flatMap((notebook) => {
    const chosen = chooseCompiler(dirname(notebook.path), key, tslab);
    if (chosen.problems.length > 0) throw new Problem(chosen.problems.join('\n'));
    const ts = compiler(chosen.file);
    const files = parsed.get(ts) ?? new Map<string, TypeScript.SourceFile | undefined>();
    parsed.set(ts, files);
    const problems = checkNotebook(ts, notebook, files, reported, stock);
    const from = (path: string) => relative(base, path);
    return problems.map((one) => ({ ...one, notebook: from(one.notebook), file: one.file && from(one.file) }));
  });
  for (const files of parsed.values()) {
    for (const path of files.keys()) if (!path.includes('/node_modules/')) files.delete(path); // it may change
  }
  return problems;
}

/** With whole paths. */
function checkNotebook(
  ts: Compiler,
  notebook: Notebook,
  files: Map<string, TypeScript.SourceFile | undefined>,
  reported: Set<string>,
  stock: boolean,
): CellProblem[] {
  const { options, library } = compilerOptions(ts, notebook);
  const modules = new Map(cellModules(ts, notebook, options).map((module) => [module.path, module]));
  const host = compilerHost(ts, notebook, modules, options, library, files);
  const program = ts.createProgram([...modules.keys(), ...(library ? [LIBRARY] : [])], options, host);
  const problems: CellProblem[] = [];
  for (const diagnostic of program.getGlobalDiagnostics()) {
    const at = { cell: null, file: null, line: 1, column: 1 };
    problems.push({ ...told(ts, diagnostic, notebook), ...at });
  }
  for (const module of modules.values()) {
    // What is expected to fail may fail to compile: that is seen when it runs.
    if (module.cell.tags.includes('raises-exception')) continue;
    const lines = module.cell.source.split('\n').length;
    const own = diagnosticsOf(program, program.getSourceFile(module.path)!).map((diagnostic) => {
      const { line, column } = position(ts, diagnostic);
      const at = { cell: module.cell.index, file: null, line: line - 1, column };
      return { ...told(ts, diagnostic, notebook), ...at };
    });
    // The lines before the source import from earlier cells, those behind it export. Errors there follow from errors in
    // the source, so they are told only if the source has none.
    const inSource = own.filter(({ line }) => line >= 1 && line <= lines);
    problems.push(...(inSource.length > 0 ? inSource : own));
    if (stock) problems.push(...renamedProperties(ts, program, module, modules, notebook));
  }
  for (const file of program.getSourceFiles()) {
    const path = file.fileName;
    const isOwn = !file.isDeclarationFile && !modules.has(path) && !path.includes('/node_modules/');
    if (!isOwn || reported.has(path)) continue;
    reported.add(path);
    for (const diagnostic of diagnosticsOf(program, file)) {
      problems.push({
        ...told(ts, diagnostic, notebook),
        cell: null,
        file: path,
        ...position(ts, diagnostic),
      });
    }
  }
  return unique(problems);
}

/**
 * Finds `{ job: name }` in patterns, where the type of the property is written in an earlier cell. A stock tslab writes
 * `exports.` before the names of earlier cells. It takes such a property for one of them and makes `{ exports, job: name }`:
 * a new variable `exports`, which hides every variable of the earlier cells, or a syntax error where there are two.
 */
function renamedProperties(
  ts: Compiler,
  program: TypeScript.Program,
  { path, cell }: CellModule,
  modules: Map<string, CellModule>,
  notebook: Notebook,
): CellProblem[] {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(path)!;
  const found: CellProblem[] = [];
  const visit = (node: TypeScript.Node) => {
    if (ts.isBindingElement(node) && node.propertyName) {
      const [declaration] = checker.getSymbolAtLocation(node.propertyName)?.declarations ?? [];
      const from = declaration?.getSourceFile().fileName ?? path;
      if (from !== path && modules.has(from)) {
        const { line, character } = ts.getLineAndCharacterOfPosition(file, node.getStart());
        const message = `A stock tslab compiles "${node.getText()}" wrongly: take "${node.propertyName.getText()}" itself.`;
        const at = { cell: cell.index, file: null, line, column: character + 1 };
        found.push({ notebook: notebook.path, code: null, message, ...at });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function diagnosticsOf(program: TypeScript.Program, file: TypeScript.SourceFile) {
  const syntax = program.getSyntacticDiagnostics(file);
  if (syntax.length > 0) return syntax;
  const semantic = program.getSemanticDiagnostics(file);
  try {
    return [...semantic, ...program.getDeclarationDiagnostics(file)];
  } catch (error) {
    // The compiler fails over the declarations of some correct cells, such as one with `await (await client(url)).json()`.
    if (!/^Debug Failure/.test((error as Error).message)) throw error;
    return semantic;
  }
}

function told(ts: Compiler, diagnostic: TypeScript.Diagnostic, notebook: Notebook) {
  return {
    notebook: notebook.path,
    code: diagnostic.code,
    message: ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n  '),
  };
}

function position(ts: Compiler, { file, start }: TypeScript.Diagnostic): { line: number; column: number } {
  if (!file || start === undefined) return { line: 1, column: 1 };
  const { line, character } = ts.getLineAndCharacterOfPosition(file, start);
  return { line: line + 1, column: character + 1 };
}

/** Stands for the declarations that the kernel adds to the library. No file is there. */
const LIBRARY = '/node-library.d.ts';

/** The kernel's options, without those for emitting, and what it adds to the library. */
function compilerOptions(ts: Compiler, notebook: Notebook): { options: TypeScript.CompilerOptions; library: string } {
  const { options, library, problems } = cellOptions(
    ts as never,
    dirname(notebook.path),
    tslab,
    notebook.compilerOptions,
  );
  if (problems.length > 0) throw new Problem(problems.join('\n'));
  delete options.noImplicitUseStrict;
  delete options.newLine;
  return { options: { ...options, noEmit: true }, library };
}

function compilerHost(
  ts: Compiler,
  notebook: Notebook,
  modules: Map<string, CellModule>,
  options: TypeScript.CompilerOptions,
  library: string,
  files: Map<string, TypeScript.SourceFile | undefined>,
): TypeScript.CompilerHost {
  const host = ts.createCompilerHost(options, true);
  const { getSourceFile, fileExists, readFile } = host;
  const resolveModule = moduleResolver(ts as never, dirname(notebook.path), options as never, host);
  return {
    ...host,
    getCurrentDirectory: () => dirname(notebook.path),
    fileExists: (path) => modules.has(path) || path === LIBRARY || fileExists(path),
    readFile: (path) => modules.get(path)?.text ?? (path === LIBRARY ? library : readFile(path)),
    // Each file is parsed once for all notebooks.
    getSourceFile: (path, ...rest) => {
      const module = modules.get(path);
      if (module) return ts.createSourceFile(path, module.text, rest[0], true);
      if (!files.has(path)) {
        const isLibrary = path === LIBRARY;
        files.set(path, isLibrary ? ts.createSourceFile(path, library, rest[0]) : getSourceFile(path, ...rest));
      }
      return files.get(path);
    },
    resolveModuleNames: (names, from) =>
      names.map((name) => {
        const named = modules.has(from) && /^\.\/([\w$-]+)$/.exec(name)?.[1];
        const virtual = named ? cellPath(notebook, named) : join(dirname(from), `${name}.ts`);
        if (modules.has(virtual)) return { resolvedFileName: virtual, extension: ts.Extension.Ts };
        // The kernel's own module has this name, also where the folder has a package of that name.
        return (name === 'tslab' ? resolveModule('./dist/public', join(tslab, 'x.ts')) : resolveModule(name, from)) as
          | TypeScript.ResolvedModuleFull
          | undefined;
      }),
  };
}

function unique(problems: CellProblem[]): CellProblem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const line = problemLine(problem);
    return !seen.has(line) && seen.add(line);
  });
}
