// `require` and `import()` as the cells have them: tslab itself, TypeScript files beside the notebook, and packages.
import { readFileSync } from 'node:fs';
import { createRequire, isBuiltin, Module } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { constants, Script } from 'node:vm';
import type { CompiledFile } from './compiler.js';
import { makeFunction } from './script.js';

type Import = (specifier: unknown) => Promise<unknown>;
type ModuleFunction = (this: unknown, ...given: unknown[]) => void;
export type Require = NodeJS.Require & { import: Import };

/** Finds the file that an import in the file `from` means, as the compiler does; packages are left to Node. */
type Resolve = (id: string, from: string) => string | undefined;

/** These say that `require` cannot have a module which `import()` can. */
const ONLY_IMPORTED = ['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE', 'ERR_PACKAGE_PATH_NOT_EXPORTED'];

export class Modules {
  private readonly files = new Map<string, CompiledFile>();
  private readonly loaded = new Map<string, NodeJS.Module>();
  /** ES modules that only `import()` can have, by the file that imports them and the name it has for them. */
  private readonly awaited = new Map<string, unknown>();
  /** For each file, those that have loaded it. */
  private readonly importers = new Map<string, Set<string>>();

  constructor(private readonly resolve: Resolve) {}

  /** Takes in what was compiled anew: it runs again, and so does all that imports it, when it is next required. */
  update(files: readonly CompiledFile[]): void {
    for (const file of files) {
      this.files.set(file.path, file);
      this.unload(file.path);
    }
  }

  private unload(path: string): void {
    const importers = this.importers.get(path);
    this.loaded.delete(path);
    this.importers.delete(path);
    for (const importer of importers ?? []) this.unload(importer);
  }

  /**
   * Loads the ES modules that the file `from` imports, and those that its own files import: the code that runs is
   * CommonJS, and `require` cannot wait for a module that awaits at its top level. Everything else is left to `require`,
   * which loads it where the code says so. Undefined where there is nothing to wait for.
   */
  prepare(imports: readonly string[], from: string): Promise<void> | undefined {
    const missing = this.onlyImported(imports, from, new Set());
    return missing.length > 0 ? this.importAll(missing) : undefined;
  }

  private onlyImported(imports: readonly string[], from: string, seen: Set<string>): [from: string, id: string][] {
    const native = createRequire(from);
    return imports.flatMap((id): [from: string, id: string][] => {
      if (id === 'tslab' || isBuiltin(id) || this.awaited.has(keyOf(from, id))) return [];
      const path = this.resolve(id, from);
      const file = path === undefined ? undefined : this.files.get(path);
      if (!file) return canBeRequired(native, id) ? [] : [[from, id]];
      if (seen.has(file.path)) return [];
      seen.add(file.path);
      return this.onlyImported(file.imports, file.path, seen);
    });
  }

  private async importAll(modules: [from: string, id: string][]): Promise<void> {
    for (const [from, id] of modules) this.awaited.set(keyOf(from, id), asRequired(await importer(from)(id)));
  }

  /** `require` for the code of the file `from`, with `import()` as its member `import`. */
  makeRequire(from: string): Require {
    const native = createRequire(from);
    const require = (id: string): unknown => {
      if (id === 'tslab') return fromKernel('tslab');
      const awaited = this.awaited.get(keyOf(from, id));
      if (awaited) return awaited;
      const path = this.resolve(id, from);
      if (path === undefined) return native(id);
      if (this.files.has(path)) {
        this.importers.set(path, (this.importers.get(path) ?? new Set()).add(from));
        return this.load(this.files.get(path)!);
      }
      // What `paths` of a tsconfig.json names, only the compiler finds.
      return /\.(js|json|cjs)$/.test(path) && !path.includes('/node_modules/') ? native(path) : native(id);
    };
    const { resolve, cache, main, extensions } = native;
    return Object.assign(require, {
      resolve,
      cache,
      main,
      extensions,
      import: this.makeImport(require, from),
    });
  }

  private makeImport(require: (id: string) => unknown, from: string): Import {
    const native = importer(from);
    return async (specifier) => {
      const id = String(specifier);
      const path = this.resolve(id, from) ?? id;
      if (extname(path) === '.mjs' || /^(?!node:)\w{2,}:/.test(id)) return native(id);
      try {
        return toNamespace(require(id));
      } catch (error) {
        if (isOnlyImported(error)) return native(id);
        throw error;
      }
    };
  }

  private load({ path, text, output, map }: CompiledFile): unknown {
    const known = this.loaded.get(path);
    if (known) return known.exports;
    const module = new Module(path);
    const require = this.makeRequire(path);
    Object.assign(module, { filename: path, require });
    this.loaded.set(path, module); // before it runs: imports may go round in a circle
    try {
      const parameters = 'exports, require, module, __filename, __dirname, __import';
      const run = makeFunction(path, { name: path, text: () => text, map }, output, parameters) as ModuleFunction;
      run.call(module.exports, module.exports, require, module, path, dirname(path), require.import);
    } catch (error) {
      this.loaded.delete(path);
      throw error;
    }
    module.loaded = true;
    return module.exports;
  }
}

const isOnlyImported = (error: unknown) =>
  ONLY_IMPORTED.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
const keyOf = (from: string, id: string) => JSON.stringify([from, id]);

/** Loads an ES module, to find out. What `require` fails with for another reason, the code is to see where it imports it. */
function canBeRequired(native: NodeJS.Require, id: string): boolean {
  try {
    if (isESModule(native.resolve(id))) native(id);
  } catch (error) {
    return !isOnlyImported(error);
  }
  return true;
}

/** Whether Node takes a file for an ES module. https://nodejs.org/api/packages.html#determining-module-system */
function isESModule(path: string): boolean {
  if (!path.endsWith('.js')) return path.endsWith('.mjs');
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch {
      if (folder === dirname(folder)) return false;
    }
  }
}

/** An ES module as Node's `require` gives it: marked as one, so that its default export is found. */
function asRequired(namespace: object): unknown {
  const members = Object.keys(namespace).map((name) => [
    name,
    { get: () => Reflect.get(namespace, name), enumerable: true },
  ]);
  return Object.defineProperties({}, Object.fromEntries([...members, ['__esModule', { value: true }]]));
}

/** Node's `import()` as the file `from` has it. */
function importer(from: string): (specifier: string) => Promise<object> {
  const native = new Script('(specifier) => import(specifier)', {
    filename: from,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext();
  return (specifier) => withoutLoaderWarning(() => native(specifier));
}

/** Node warns once, under the reader's cell, that the kernel uses an experimental loader: the reader does not. */
function withoutLoaderWarning<T>(call: () => T): T {
  const { emitWarning } = process;
  const filtered = (...given: unknown[]) => {
    if (!String(given[0]).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) Reflect.apply(emitWarning, process, given);
  };
  Reflect.set(process, 'emitWarning', filtered);
  try {
    return call();
  } finally {
    Reflect.set(process, 'emitWarning', emitWarning);
  }
}

const fromKernel = require;

/** What `import()` gives of a CommonJS module, by the rules of `esModuleInterop`. */
function toNamespace(exports: unknown): unknown {
  if ((exports as { __esModule?: unknown } | null)?.__esModule) return exports;
  const names = exports !== null && (typeof exports === 'object' || typeof exports === 'function') ? exports : {};
  return Object.defineProperty({ ...names }, 'default', {
    value: exports,
    enumerable: true,
  });
}

/** The place of the cells: no file is there. */
export const cellFile = (folder: string) => join(folder, 'cell.js');
