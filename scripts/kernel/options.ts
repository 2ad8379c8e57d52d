// The compiler options of a notebook's cells: for the kernel, and for the checker of cells.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, sep } from 'node:path';
import type * as TypeScript from '@tslab/typescript-for-tslab';
import { nodeLibrary } from './node-library.js';

type Options = TypeScript.CompilerOptions;

/** The options of stock tslab, in the words of a `tsconfig.json`. */
const BASE = {
  target: 'es2022',
  module: 'esnext',
  moduleResolution: 'node10',
  // The defaults of TypeScript 6 are others.
  strict: false,
  noUncheckedSideEffectImports: false,
  esModuleInterop: true,
  resolveJsonModule: true,
  experimentalDecorators: true,
  jsx: 'react',
  allowJs: true,
  checkJs: true,
  skipLibCheck: true,
  declaration: true,
  noImplicitUseStrict: true,
  newLine: 'lf',
};

/**
 * What a `tsconfig.json` may decide. Everything else in one says how a project is built, and this kernel builds
 * nothing: it emits CommonJS, and finds modules as Node's `require` does. What is not used (`noUnusedLocals`) is no fault
 * in a cell: another cell may use it.
 */
const HONORED = new Set([
  ...['strict', 'noImplicitAny', 'strictNullChecks', 'strictFunctionTypes', 'strictBindCallApply'],
  ...['strictPropertyInitialization', 'noImplicitThis', 'useUnknownInCatchVariables', 'alwaysStrict'],
  ...['noUncheckedIndexedAccess', 'exactOptionalPropertyTypes', 'noImplicitOverride', 'noImplicitReturns'],
  ...['noFallthroughCasesInSwitch', 'noPropertyAccessFromIndexSignature'],
  ...['allowUnreachableCode', 'allowUnusedLabels', 'suppressImplicitAnyIndexErrors', 'suppressExcessPropertyErrors'],
  ...['noStrictGenericChecks', 'keyofStringsOnly', 'ignoreDeprecations', 'checkJs'],
  ...['lib', 'types', 'typeRoots', 'paths', 'pathsBasePath', 'baseUrl', 'rootDirs', 'moduleSuffixes'],
  ...['jsx', 'jsxFactory', 'jsxFragmentFactory', 'jsxImportSource', 'reactNamespace'],
  ...['experimentalDecorators', 'emitDecoratorMetadata', 'useDefineForClassFields', 'target'],
  ...['esModuleInterop', 'allowSyntheticDefaultImports', 'preserveConstEnums', 'importHelpers'],
]);

/**
 * Of a `tsconfig.json` in a folder above: what makes more code compile. A project may be strict, and have notebooks that
 * never were, since stock tslab reads no `tsconfig.json`: their folder has to ask for it.
 */
const HONORED_FROM_ABOVE = new Set([
  ...['lib', 'paths', 'pathsBasePath', 'baseUrl', 'rootDirs', 'moduleSuffixes', 'emitDecoratorMetadata'],
  ...['jsx', 'jsxFactory', 'jsxFragmentFactory', 'jsxImportSource', 'reactNamespace'],
]);

export interface CellOptions {
  options: Options;
  /** Declarations to add to the library: of what the running Node has and the compiler does not know. */
  library: string;
  /** The `tsconfig.json` that was read, if one was. */
  config: string | undefined;
  /** What was wrong with it; the rest of it is honored. One sentence each. */
  problems: string[];
}

/**
 * The options for notebooks in `folder`: those of stock tslab; over them, those of the folder's `tsconfig.json`, or some
 * of the nearest one above if it includes the folder; over them, `own`, those in the notebook's metadata
 * (`"compilerOptions": { … }`, in the words of a `tsconfig.json`).
 */
export function cellOptions(ts: typeof TypeScript, folder: string, tslabFolder: string, own: object = {}): CellOptions {
  const problems: string[] = [];
  const tell = (errors: readonly TypeScript.Diagnostic[], where: string) => {
    for (const { messageText } of errors) {
      problems.push(`${where}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
    }
  };
  const newest = ts.version === BUNDLED ? LIBRARY : 'lib.esnext.d.ts';
  // A newer compiler does not know what it has given up (`noImplicitUseStrict`).
  const converted = ts.convertCompilerOptionsFromJson(BASE, folder);

  const config = findConfig(ts, folder);
  const ofProject: Options = {};
  if (config) {
    // Of the options alone: which files a project has is not asked for, and there may be thousands.
    const host = { ...ts.sys, readDirectory: () => [] };
    const { config: json, error } = ts.readConfigFile(config, ts.sys.readFile);
    const parsed = ts.parseJsonConfigFileContent(json ?? {}, host, dirname(config), undefined, config);
    tell(error ? [error] : [], config);
    // A newer compiler knows more options and values than this one: these are left out. A base that is missing is told.
    tell(
      parsed.errors.filter(({ code }) => code === FILE_NOT_FOUND || code === CANNOT_READ_FILE),
      config,
    );
    const isAbove = dirname(config) !== folder;
    const honored = isAbove ? HONORED_FROM_ABOVE : HONORED;
    for (const [name, value] of Object.entries(parsed.options)) {
      if (honored.has(name) && value !== undefined) ofProject[name] = value;
    }
    if (isAbove && ofProject.lib) ofProject.lib = [...new Set([newest, ...ofProject.lib])];
  }
  const ofNotebook = ts.convertCompilerOptionsFromJson(own, folder);
  tell(ofNotebook.errors, 'the metadata of the notebook');

  const options: Options = { ...converted.options, ...ofProject };
  for (const [name, value] of Object.entries(ofNotebook.options)) if (HONORED.has(name)) options[name] = value;
  // Stock tslab has es2022; each Node that this kernel supports has more. Who names a `lib` gets that alone.
  const library = newest === LIBRARY && (!options.lib || options.lib.includes(LIBRARY)) ? nodeLibrary : '';
  options.lib ??= [newest];
  // What another tool would transform, Node could not run.
  if (options.jsx === ts.JsxEmit.Preserve || options.jsx === ts.JsxEmit.ReactNative) options.jsx = ts.JsxEmit.ReactJSX;
  // Older targets have no `await`, newer ones let through what Node cannot parse yet.
  options.target = Math.min(Math.max(options.target ?? 0, ts.ScriptTarget.ES2018), ts.ScriptTarget.ES2022);
  const roots = ts.getEffectiveTypeRoots(options, { ...ts.sys, getCurrentDirectory: () => folder }) ?? [];
  // Cells run in Node: where the folder has no types for it, they get those of tslab, wherever the package manager put them.
  const hasNode = roots.some((root) => existsSync(join(root, 'node', 'package.json')));
  const ofTslab = () => createRequire(join(tslabFolder, 'package.json')).resolve('@types/node/package.json');
  options.typeRoots = hasNode ? roots : [...roots, dirname(dirname(ofTslab()))];
  if (!options.types && Number.parseInt(ts.version, 10) >= 6) options.types = ['*'];
  if (options.types && !options.types.includes('node')) options.types = [...options.types, 'node'];
  return { options, library, config, problems };
}

/** Finds the file that the module `name`, imported by the file `from`, is declared in. */
export type ModuleResolver = (name: string, from: string) => TypeScript.ResolvedModuleFull | undefined;

/**
 * Finds modules as stock tslab does, which is as Node 10 did. A package that names its types in the `exports` of its
 * `package.json` alone is not found that way: it is looked for as Node's `require` finds it, and then as `import` does.
 * What was found is kept for as long as the resolver is.
 */
export function moduleResolver(
  ts: typeof TypeScript,
  folder: string,
  options: Options,
  host: TypeScript.ModuleResolutionHost,
): ModuleResolver {
  const { Node16 } = ts.ModuleResolutionKind;
  const ways: { options: Options; mode?: TypeScript.ResolutionMode }[] = [
    { options },
    { options: { ...options, moduleResolution: Node16 }, mode: ts.ModuleKind.CommonJS },
    { options: { ...options, moduleResolution: Node16 }, mode: ts.ModuleKind.ESNext },
  ];
  const caches = ways.map(({ options }) => ts.createModuleResolutionCache(folder, (path) => path, options));
  return (name, from) => {
    let untyped: TypeScript.ResolvedModuleFull | undefined;
    for (const [i, { options, mode }] of (/^[./]/.test(name) ? ways.slice(0, 1) : ways).entries()) {
      const { resolvedModule } = ts.resolveModuleName(name, from, options, host, caches[i], undefined, mode);
      if (resolvedModule && !/^\.[cm]?jsx?$/.test(resolvedModule.extension)) return resolvedModule;
      untyped ??= resolvedModule;
    }
    return untyped;
  };
}

/** The version of tslab's compiler, and the newest library that it has. */
const BUNDLED = '5.0.4';
const LIBRARY = 'lib.es2023.d.ts';
const FILE_NOT_FOUND = 6053;
const CANNOT_READ_FILE = 5083;

/** The folder's own `tsconfig.json`; or the nearest above it, if a file in the folder would belong to its project. */
function findConfig(ts: typeof TypeScript, folder: string): string | undefined {
  const config = ts.findConfigFile(folder, ts.sys.fileExists);
  if (!config || dirname(config) === folder) return config;
  const root = dirname(config);
  const file = 'cell.ts';
  const { matchFiles } = ts as unknown as {
    matchFiles: (...args: unknown[]) => string[];
  };
  // As if there were nothing in the project but this one file: only its path is walked.
  const entries = (path: string) => {
    const inside = relative(path, join(folder, file)).split(sep);
    if (inside[0] === '..') return { files: [], directories: [] };
    return inside.length === 1 ? { files: inside, directories: [] } : { files: [], directories: inside.slice(0, 1) };
  };
  const host = {
    ...ts.sys,
    readDirectory: (path: string, extensions: unknown, excludes: unknown, includes: unknown, depth?: number) =>
      matchFiles(path, extensions, excludes, includes, true, root, depth, entries, (found: string) => found),
  };
  const { config: json } = ts.readConfigFile(config, ts.sys.readFile);
  const { fileNames } = ts.parseJsonConfigFileContent(json ?? {}, host, root, undefined, config);
  return fileNames.some((name) => basename(name) === file && dirname(name) === folder) ? config : undefined;
}

/**
 * The compiler options that the metadata of a notebook in `folder` asks for. `path` is what a Jupyter server says of
 * the kernel's session, `key` the member of the metadata that has them; a kernel that a cell of another notebook started has inherited that notebook's.
 */
export function optionsInMetadata(path: string | undefined, folder: string, key: string): object {
  if (!path?.endsWith('.ipynb') || dirname(path) !== folder) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8')).metadata[key].compilerOptions ?? {};
  } catch {
    return {}; // none, or no longer there
  }
}
