// Loads the compiler, faster than `require` does.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import type * as TypeScript from '@tslab/typescript-for-tslab';
import { chooseCompiler } from './choose-compiler.js';
import { settings } from './settings.js';

const here = createRequire(__filename);
/** Where npm has put tslab. */
export const tslabFolder = dirname(here.resolve('tslab/package.json'));
const fromTslab = createRequire(join(tslabFolder, 'package.json'));
/** The compiler of the notebook's folder. */
export const chosen = chooseCompiler(process.cwd(), settings.metadataKey, tslabFolder);
const { file, version, isOwn } = chosen;
/** Where the compiler's own library is. */
export const libraryFolder = dirname(file);
const { cacheFolder } = settings;
// The hash tells packages apart that have the same version and different code.
const which = isOwn ? `${version}-${createHash('sha256').update(file).digest('hex').slice(0, 8)}` : version;
const cacheFile = join(cacheFolder ?? '', `typescript-${which}-node-${process.version}-${process.arch}.bin`);

// V8 compiles a function when it is first called. The cache holds what a run has compiled, and V8
// itself refuses one that was made by another V8 or from another text.
const cachedData = cacheFolder && existsSync(cacheFile) ? readFileSync(cacheFile) : undefined;
const parameters = 'exports, require, module, __filename, __dirname, Error';
const script = new Script(`(function (${parameters}) { ${readFileSync(file, 'utf8')}\n})`, {
  filename: file,
  ...(cachedData && { cachedData }),
});
/** The compiler sets this limit while it looks for files. Where a cell has frozen `Error`, an assignment would throw. */
class CompilersError extends Error {
  static override get stackTraceLimit(): number {
    return Error.stackTraceLimit;
  }

  static override set stackTraceLimit(limit: number) {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

const loaded = new Module(file);
loaded.filename = file;
loaded.paths = [];
script.runInThisContext()(loaded.exports, createRequire(file), loaded, file, dirname(file), CompilersError);

export const ts: typeof TypeScript = loaded.exports;
loaded.loaded = true;
fromTslab.cache[fromTslab.resolve('@tslab/typescript-for-tslab')] = loaded; // tslab's own modules get the same

/** Finds the names that a file declares. The compiler does it to every file of a program, and has it for itself. */
export const { bindSourceFile: bind } = ts as unknown as {
  bindSourceFile(file: TypeScript.SourceFile, options: TypeScript.CompilerOptions): void;
};

let saved = !cacheFolder || (cachedData !== undefined && script.cachedDataRejected === false);

/** To be called when what a notebook needs of the compiler has been compiled. Saves once, where there is none to use. */
export function saveCodeCache(): void {
  if (saved) return;
  saved = true; // also where it fails: it would fail again, and each try holds up a cell
  try {
    mkdirSync(dirname(cacheFile), { recursive: true });
    for (const name of readdirSync(dirname(cacheFile))) {
      // What a kernel that was killed left half written.
      if (name.startsWith(`${basename(cacheFile)}.`)) rmSync(join(dirname(cacheFile), name));
    }
    writeFileSync(`${cacheFile}.${process.pid}`, script.createCachedData());
    renameSync(`${cacheFile}.${process.pid}`, cacheFile);
  } catch {
    // A read-only checkout starts as slowly as without it.
  }
}
