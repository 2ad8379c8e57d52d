// `require` as the cells have it: tslab itself, TypeScript files beside the notebook, and packages.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { SideOutput } from 'tslab/dist/converter.js';
import { mapperOf } from './compiler.js';
import { registerSource } from './traceback.js';

type Require = (id: string) => unknown;
type CompilingModule = NodeJS.Module & { _compile(code: string, filename: string): void };

/** TypeScript files that cells import, as the converter compiled them: path with .js to code. */
const compiled = new Map<string, string>();
const loaded = new Map<string, NodeJS.Module>();

/** Takes in what the converter compiled anew; it is run again when it is next required. */
export function updateFiles(files: readonly SideOutput[]): void {
  for (const { path, data } of files) {
    compiled.set(path, data);
    loaded.delete(path);
    const source = ['.ts', '.tsx', '.js', '.jsx']
      .map((extension) => path.replace(/\.js$/, extension))
      .find((file) => existsSync(file));
    const map = mapperOf(data);
    if (!source || !map) continue; // an in-memory @module cell: its own name has to do
    registerSource(path, { name: source, text: () => readFileSync(source, 'utf8'), map });
  }
}

/** A `require` for code in `folder`. */
export function makeRequire(folder: string): Require {
  const fromPackages = createRequire(join(folder, 'cell.js'));
  return Object.assign(
    (id: string) => {
      if (id === 'tslab') return require('tslab');
      const path = resolve(folder, id);
      const file = [path, `${path}.js`].find((file) => compiled.has(file));
      return file && /^\.{0,2}\//.test(id) ? load(file, compiled.get(file)!) : fromPackages(id);
    },
    { resolve: fromPackages.resolve, cache: fromPackages.cache, main: fromPackages.main },
  );
}

function load(path: string, code: string): unknown {
  const known = loaded.get(path);
  if (known) return known.exports;
  const module = new Module(path) as CompilingModule;
  module.filename = path;
  module.paths = (Module as unknown as { _nodeModulePaths(path: string): string[] })._nodeModulePaths(dirname(path));
  module.require = makeRequire(dirname(path)) as NodeJS.Require;
  loaded.set(path, module); // before it runs: imports may go round in a circle
  try {
    module._compile(code, path);
  } catch (error) {
    loaded.delete(path);
    throw error;
  }
  return module.exports;
}
