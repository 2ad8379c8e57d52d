// From a cell's TypeScript to JavaScript, and back again for error positions.
//
// A cell is compiled as a module of its own, in one program with a declaration file that holds what the cells before
// it declared (`declarations.ts`). Nothing watches files: each compilation asks for every file again that is no
// package's, so that what a cell imports is what its file says now.
import { SourceMap } from 'node:module';
import { join, relative } from 'node:path';
import type * as TypeScript from '@tslab/typescript-for-tslab';
import type {
  CustomTransformers,
  Diagnostic as Found,
  Node,
  Program,
  ResolvedModuleFull,
  SourceFile,
} from '@tslab/typescript-for-tslab';
import { declarationsAfter, localsOf, onlyDeclarations } from './declarations.js';
import { instrument } from './instrument.js';
import { cellOptions, type ModuleResolver, moduleResolver } from './options.js';
import { bind, chosen, libraryFolder, ts, tslabFolder } from './typescript.js';
import { imports, variables } from './variables.js';

export interface Position {
  /** Zero-based, as everywhere in the compiler. */
  line: number;
  column: number;
}

/** Maps a position in the JavaScript that runs to one in the TypeScript that was written. */
export type Mapper = (position: Position) => Position;

export interface Diagnostic {
  /** Zero-based. */
  start: { line: number; character: number };
  messageText: string;
  category: number;
  code: number;
  /** Unset where the cell itself is to blame. */
  fileName?: string;
}

/** JavaScript, a CommonJS module's, and the way back from it. */
export interface Emitted {
  output: string;
  /** The modules that it imports, in order: what is imported for its types alone is not among them. */
  imports: readonly string[];
  map: Mapper;
}

/** A TypeScript or JavaScript file that cells import, compiled. */
export interface CompiledFile extends Emitted {
  path: string;
  /** What was compiled. */
  text: string;
}

export interface Compiled extends Emitted {
  diagnostics: Diagnostic[];
  /** The variable that holds the value of the cell's last expression. */
  lastExpressionVar?: string;
  /** Files that are new since the last compilation, or were written again. */
  files: CompiledFile[];
  /** What the cells after this one may use. */
  declarations: string;
}

export interface Located {
  program: Program;
  cell: SourceFile;
}

const isPackage = (path: string) => path.includes('/node_modules/');
/** Files that run as this kernel compiled them. `.mjs` and `.cjs` say by their name that Node runs them as they are. */
const isSource = (path: string) => /(?<!\.d)\.(ts|tsx|mts|cts|js|jsx)$/.test(path) && !isPackage(path);

export class Compiler {
  /** Whether the cells are JavaScript. */
  readonly isJS: boolean;
  private readonly options: TypeScript.CompilerOptions;
  private readonly nodeLibrary: string;
  /** What is wrong with the options that were asked for. */
  readonly problems: string[];
  private readonly cellPath: string;
  private readonly earlierPath: string;
  private readonly nodeLibraryPath: string;
  /** Files that are on no disk, by path: the cell, what stands before it, and `@module` cells. */
  private readonly texts = new Map<string, string>();
  private readonly modules = new Set<string>();
  private readonly parsed = new Map<string, SourceFile>();
  private readonly read = new Map<string, string | undefined>();
  /** Files with an import that was not found: it may be there now. */
  private readonly unresolved = new Set<string>();
  private readonly emitted = new Map<string, SourceFile[]>();
  private readonly checked = new Map<string, { version: SourceFile[]; diagnostics: Diagnostic[] }>();
  /** Good for one compilation: by the next, there may be other files. */
  private resolveModule: ModuleResolver = () => undefined;
  private program: Program | undefined;
  private declarations = '';

  constructor(
    private readonly folder: string,
    { isJS = false, own = {} }: { isJS?: boolean; own?: object } = {},
  ) {
    const { options, library, problems } = cellOptions(ts, folder, tslabFolder, own);
    // The folder is never written to; the compiler wants to know that it would not write over its sources.
    this.options = {
      ...options,
      inlineSourceMap: true,
      outDir: join(folder, 'outDir'),
    };
    this.nodeLibrary = library;
    this.problems = [...chosen.problems, ...problems];
    this.isJS = isJS;
    this.cellPath = join(folder, isJS ? '__tslab__.js' : '__tslab__.ts');
    this.earlierPath = join(folder, '__prev__.d.ts');
    this.nodeLibraryPath = join(folder, '__node__.d.ts');
    this.locate('', ''); // parses the library, which takes longest
  }

  /** Compiles a cell after all those that were `keep`-t. */
  compile(source: string): Compiled {
    const { names, exported } = this.declaredIn(source);
    const suffix = `\nexport {${[...names].filter((name) => !exported.has(name)).join(', ')}};`;
    const { program, cell } = this.locate(source, suffix);
    const files = this.sourcesOf(program, cell);
    const diagnostics = [
      ...this.diagnose(program.getSyntacticDiagnostics(cell), program.getSemanticDiagnostics(cell)),
      ...files.flatMap((file) => this.check(program, file)),
    ];
    if (diagnostics.some(({ category }) => category === ts.DiagnosticCategory.Error)) {
      return {
        output: '',
        imports: [],
        map: (position) => position,
        files: [],
        declarations: '',
        diagnostics,
      };
    }

    const earlier = program.getSourceFile(this.earlierPath)!;
    let lastExpressionVar: string | undefined;
    const [javascript, ownDeclarations] = this.emit(program, cell, {
      after: [
        variables(program.getTypeChecker(), earlier, names, (name) => {
          lastExpressionVar = name;
        }),
        imports(),
      ],
      afterDeclarations: [onlyDeclarations()],
    });
    const declared = ownDeclarations ?? this.declareLoosely(source, suffix);
    if (typeof declared !== 'string') diagnostics.push(...declared);
    return {
      ...this.toCommonJS(javascript!),
      diagnostics,
      ...(lastExpressionVar !== undefined && { lastExpressionVar }),
      files: files.flatMap((file) => this.compileFile(program, file)),
      declarations:
        typeof declared === 'string' ? declarationsAfter(program.getTypeChecker(), cell, earlier, declared) : '',
    };
  }

  /** What the cell declared is there for the cells after it. */
  keep(compiled: Compiled): void {
    this.declarations = compiled.declarations;
  }

  /** An `@module` cell: the cells after it import it as `./name`. */
  addModule(name: string, source: string, jsx: boolean): Diagnostic[] {
    const extension = this.cellPath.replace(/^.*\./, '.');
    const path = join(this.folder, `${name}${extension}${jsx ? 'x' : ''}`);
    this.texts.set(path, `${source}\nexport {};`);
    this.modules.add(path);
    const { program } = this.locate('', '');
    return this.check(program, program.getSourceFile(path)!);
  }

  /** The file that `id`, imported by the file `from`, means; undefined where only Node can say, as for packages. */
  resolveLocal(id: string, from: string): string | undefined {
    const { paths, baseUrl, rootDirs } = this.options;
    if (!/^\.{0,2}(\/|$)/.test(id) && !paths && !baseUrl && !rootDirs) return undefined;
    return ts.resolveModuleName(id, from, this.options, this.host).resolvedModule?.resolvedFileName;
  }

  /** The program in which `source` stands as a cell after those that were kept. `suffix` is not the reader's. */
  locate(source: string, suffix = '\nexport {};'): Located {
    this.texts.set(this.cellPath, source + suffix);
    this.texts.set(this.earlierPath, `${this.declarations}\nexport {};`);
    if (this.nodeLibrary) this.texts.set(this.nodeLibraryPath, this.nodeLibrary);
    this.read.clear();
    this.resolveModule = moduleResolver(ts, this.folder, this.options, this.host);
    const rootNames = [
      this.earlierPath,
      this.cellPath,
      ...this.modules,
      ...(this.nodeLibrary ? [this.nodeLibraryPath] : []),
    ];
    this.program = ts.createProgram({
      rootNames,
      options: this.options,
      host: this.host,
      ...(this.program && { oldProgram: this.program }),
    });
    this.program.getTypeChecker(); // binds every file
    const cell = this.program.getSourceFile(this.cellPath)!;
    // Names are looked for in what encloses a file as well: there the cell finds what earlier cells declared.
    (cell as { parent: Node }).parent = this.program.getSourceFile(this.earlierPath)!;
    return { program: this.program, cell };
  }

  /** The names that a cell declares, and which of them it exports by itself. */
  private declaredIn(source: string): { names: Set<string>; exported: Set<string> } {
    const file = this.parseCell(`${source}\nexport {};`) as SourceFile & Bound;
    bind(file, this.options);
    const exported = [...(file.symbol?.exports?.keys() ?? [])].map(ts.unescapeLeadingUnderscores);
    return { names: new Set(localsOf(file).keys()), exported: new Set(exported) };
  }

  private readonly host = {
    ...ts.sys,
    getCurrentDirectory: () => this.folder,
    getCanonicalFileName: (path: string) => path,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    getDefaultLibFileName: () => join(libraryFolder, 'lib.d.ts'),
    getDefaultLibLocation: () => libraryFolder,
    fileExists: (path: string) => this.texts.has(path) || ts.sys.fileExists(path),
    readFile: (path: string) => this.textOf(path),
    getSourceFile: (path: string) => this.parse(path),
    hasInvalidatedResolutions: (path: string) => this.unresolved.has(path),
    resolveModuleNames: (names: string[], from: string) => {
      const found = names.map((name) => {
        // tslab is the kernel's own, whatever the folder has.
        if (name === 'tslab') return this.resolveModule('./dist/public', join(tslabFolder, 'x.ts'));
        return this.resolveModule(name, from);
      });
      if (found.every(Boolean) || isPackage(from)) this.unresolved.delete(from);
      else this.unresolved.add(from);
      return found;
    },
  };

  /** Read once for each compilation, so that all of it is about one state of the file. */
  private textOf(path: string): string | undefined {
    const text = this.texts.get(path);
    if (text !== undefined) return text;
    if (!this.read.has(path)) this.read.set(path, ts.sys.readFile(path));
    return this.read.get(path);
  }

  private parse(path: string): SourceFile | undefined {
    const known = this.parsed.get(path);
    if (known && isPackage(path)) return known; // the files of packages stay as they are
    const text = this.textOf(path);
    if (text === undefined) {
      this.parsed.delete(path);
      return undefined;
    }
    if (known?.text === text) return known;
    const file = path === this.cellPath ? this.parseCell(text) : this.parseSource(path, text);
    this.parsed.set(path, file);
    return file;
  }

  /** JSX and type assertions (`<T>x`) look alike: a cell has JSX if it can only be read so. */
  private parseCell(text: string): SourceFile {
    const plain = this.parseSource(this.cellPath, text);
    if (syntaxErrors(plain) === 0 || !/<\/|\/>/.test(text)) return plain;
    const withJsx = this.parseSource(this.cellPath, text, ts.ScriptKind.TSX);
    return syntaxErrors(withJsx) === 0 ? withJsx : plain;
  }

  private parseSource(path: string, text: string, kind?: TypeScript.ScriptKind): SourceFile {
    const file = ts.createSourceFile(path, text, this.options.target!, false, kind);
    // A file with an `await` at its top is parsed twice, and the second tree names the first as its original. When the
    // compiler writes down a type of another file, it asks the original for its path, which a program never sets.
    const { original } = file as { original?: { path: string } };
    if (original) original.path = path;
    return file;
  }

  /** The files that `file` imports, and those that these import, as far as this kernel compiles them. */
  private sourcesOf(program: Program, file: SourceFile): SourceFile[] {
    const found = new Set<SourceFile>();
    const visit = (from: SourceFile) => {
      for (const path of importsOf(program, from)) {
        const imported = isSource(path) ? program.getSourceFile(path) : undefined;
        if (!imported || imported === file || found.has(imported)) continue;
        found.add(imported);
        visit(imported);
      }
    };
    visit(file);
    return [...found];
  }

  /** What is wrong in a file that cells import; kept for as long as it and what it imports stay as they are. */
  private check(program: Program, file: SourceFile): Diagnostic[] {
    const { fileName: path } = file;
    const version = [file, ...this.sourcesOf(program, file)];
    const known = this.checked.get(path);
    if (known && isSame(known.version, version)) return known.diagnostics;
    const diagnostics = this.diagnose(
      program.getSyntacticDiagnostics(file),
      program.getSemanticDiagnostics(file),
      topLevelAwaits(file),
    );
    if (this.unresolved.has(path)) this.checked.delete(path);
    else this.checked.set(path, { version, diagnostics });
    return diagnostics;
  }

  private compileFile(program: Program, file: SourceFile): CompiledFile[] {
    const { fileName: path, text } = file;
    // What it imports counts as well: the values of an enum's constants are written into the files that use them.
    const version = [file, ...this.sourcesOf(program, file)];
    if (isSame(this.emitted.get(path) ?? [], version)) return [];
    const [javascript] = this.emit(program, file, { after: [imports()] });
    if (javascript === undefined) return [];
    this.emitted.set(path, version);
    return [{ ...this.toCommonJS(javascript), path, text }];
  }

  private emit(program: Program, file: SourceFile, transformers: CustomTransformers): (string | undefined)[] {
    let javascript: string | undefined;
    let declarations: string | undefined;
    program.emit(
      file,
      (path, text) => {
        if (path.endsWith('.d.ts') || /\.d\.[mc]ts$/.test(path)) declarations = text;
        else javascript = text;
      },
      undefined,
      false,
      transformers,
    );
    return [javascript, declarations];
  }

  /**
   * The cell's declarations, where the type of something cannot be written down (that of a class expression with
   * private members, say): it becomes `any`. What that does not help with is an error.
   */
  private declareLoosely(source: string, suffix: string): string | Diagnostic[] {
    let text = source;
    for (let found: readonly Found[] = []; ; ) {
      const { program, cell } = this.locate(text, suffix);
      const [, declarations] = this.emit(program, cell, {
        afterDeclarations: [onlyDeclarations()],
      });
      if (declarations !== undefined) return declarations;
      const before = found.length;
      found = program.getDeclarationDiagnostics(cell);
      const places = new Map(
        found.flatMap(({ start }) => unannotated(cell, start ?? 0) ?? []).map((p) => [p.at, p.text]),
      );
      if (places.size === 0 || (before > 0 && found.length >= before)) return this.diagnose(found);
      // From the last, so that the other places stay where they are.
      for (const [at, annotation] of [...places].sort(([a], [b]) => b - a)) {
        text = text.slice(0, at) + annotation + text.slice(at);
      }
    }
  }

  private diagnose(...found: (readonly Found[])[]): Diagnostic[] {
    return found.flat().flatMap(({ file, start = 0, messageText, category, code }) => {
      if (!file) return [];
      const { line, character } = ts.getLineAndCharacterOfPosition(file, start);
      const isCell = file.fileName === this.cellPath;
      const where = {
        start: { line, character },
        ...(!isCell && { fileName: relative(this.folder, file.fileName) }),
      };
      if (typeof messageText === 'string') return [{ ...where, messageText, category, code }];
      const chain: Diagnostic[] = [];
      const add = (link: typeof messageText) => {
        chain.push({
          ...where,
          messageText: link.messageText,
          category: link.category,
          code: link.code,
        });
        for (const next of link.next ?? []) add(next);
      };
      add(messageText);
      return chain;
    });
  }

  /** The second step: from an ES module to CommonJS, with the places where a cell can be stopped. */
  private toCommonJS(module: string): Emitted {
    const [code, comment] = splitMap(module);
    const { outputText, sourceMapText } = ts.transpileModule(code, {
      fileName: 'cell.js',
      compilerOptions: {
        module: ts.ModuleKind.CommonJS,
        esModuleInterop: this.options.esModuleInterop === true,
        target: ts.ScriptTarget.ES2022,
        newLine: ts.NewLineKind.LineFeed,
        noImplicitUseStrict: true,
        sourceMap: true,
      },
    });
    const [strict] = splitMap(outputText);
    // Cells are not strict on stock tslab. TypeScript 5.5 and later cannot be asked for that.
    const javascript = strict.replace(/^"use strict";/, '             ');
    const { code: output, original } = instrument(javascript);
    const toModule = new SourceMap(JSON.parse(sourceMapText!));
    const toSource = new SourceMap(JSON.parse(Buffer.from(comment!, 'base64').toString()));
    const map: Mapper = ({ line, column }) => find(toSource, find(toModule, { line, column: original(line, column) }));
    return { output, imports: ts.preProcessFile(code).importedFiles.map(({ fileName }) => fileName), map };
  }
}

/** What the compiler notes of a file, and keeps to itself. */
interface Bound {
  symbol?: { exports?: Map<TypeScript.__String, unknown> };
  imports?: readonly { text: string }[];
  parseDiagnostics: readonly unknown[];
}

const syntaxErrors = (file: SourceFile) => (file as SourceFile & Bound).parseDiagnostics.length;
const isSame = (some: readonly unknown[], others: readonly unknown[]) =>
  some.length === others.length && some.every((one, i) => one === others[i]);

/** How a file's imports were resolved: the program says it since TypeScript 5.3, before it was a function of the compiler. */
const { getResolvedModule } = ts as unknown as {
  getResolvedModule?(from: SourceFile, name: string, mode: undefined): ResolvedModuleFull | undefined;
};
type Resolutions = {
  getResolvedModule(
    from: SourceFile,
    name: string,
    mode: undefined,
  ): { resolvedModule?: ResolvedModuleFull } | undefined;
};

/** The paths of the modules that a file names in imports. */
function importsOf(program: Program, file: SourceFile): string[] {
  const names = (file as SourceFile & Bound).imports ?? [];
  const resolved = (name: string) =>
    getResolvedModule
      ? getResolvedModule(file, name, undefined)
      : (program as Program & Resolutions).getResolvedModule(file, name, undefined)?.resolvedModule;
  return names.flatMap(({ text }) => resolved(text)?.resolvedFileName ?? []);
}

/** Where the type of what stands at a position could be written, and is not. */
function unannotated(file: SourceFile, position: number): { at: number; text: string } | undefined {
  let found: { at: number; text: string } | undefined;
  const visit = (node: Node): void => {
    if (position < node.getFullStart() || position >= node.end) return;
    const isJS = /\.jsx?$/.test(file.fileName);
    if ((ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node)) && !node.type) {
      found = isJS
        ? { at: node.name.getStart(file), text: '/** @type {any} */ ' }
        : { at: node.name.end, text: ': any' };
    } else if ((ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) && !node.type && node.body && !isJS) {
      found = {
        at: file.text.lastIndexOf(')', node.body.getStart(file)) + 1,
        text: ': any',
      };
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** A file that cells import runs within `require`, which cannot wait. */
function topLevelAwaits(file: SourceFile): Found[] {
  const found: Found[] = [];
  const visit = (node: Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) {
      const messageText =
        'A file that cells import cannot await at its top level. Await in a function, and call that in a cell.';
      const start = node.getStart(file);
      found.push({ file, start, length: 5, messageText, category: ts.DiagnosticCategory.Error, code: 1309 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const MAP_COMMENT = /\n?\/\/# sourceMappingURL=(?:data:application\/json;base64,)?(\S+)\s*$/;

function splitMap(text: string): [code: string, map: string | undefined] {
  const match = MAP_COMMENT.exec(text);
  return match ? [text.slice(0, match.index), match[1]] : [text, undefined];
}

function find(map: SourceMap, { line, column }: Position): Position {
  const entry = map.findEntry(line, column);
  return 'originalLine' in entry ? { line: entry.originalLine, column: entry.originalColumn } : { line, column };
}
