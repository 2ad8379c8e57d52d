// Starts the kernel: `node launch.cjs [--js] [--settings FILE] <connection file>`; kernel.json says so to Jupyter. With
// --js, cells are JavaScript. `settings.ts` says what the file has.
//
// Plain CommonJS, because Node 20 runs no TypeScript, and a loader such as tsx would hook `require`
// inside the reader's cells too. The other files are TypeScript. They are compiled here, by the
// compiler that a TypeScript kernel loads anyway, and kept under a hash of their text: what runs is
// always what stands in this folder. In the package that is published, they are compiled already.
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const { createRequire } = require('node:module');
const path = require('node:path');
const { parseArgs } = require('node:util');
const vm = require('node:vm');
const { Worker, isMainThread, workerData } = require('node:worker_threads');

// What tslab needs is found from where tslab is, wherever npm has put it.
const requireFromTslab = createRequire(require.resolve('tslab/package.json'));

const isPackage = fs.existsSync(path.join(__dirname, 'kernel.cjs'));

/** This user's folder for what can be made again. https://specifications.freedesktop.org/basedir-spec/latest/ */
const userCache = () =>
  process.env.XDG_CACHE_HOME ||
  path.join(os.homedir(), ...(process.platform === 'darwin' ? ['Library', 'Caches'] : ['.cache']));

/** The settings in a JSON file. A path in it is relative to the file. The package keeps compiled code with its user. */
function readSettings(file) {
  if (file === undefined) return isPackage ? { cacheFolder: path.join(userCache(), 'tslab-kernel') } : {};
  const settings = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (settings.cacheFolder) settings.cacheFolder = path.resolve(path.dirname(file), settings.cacheFolder);
  return settings;
}

/** The files of this folder whose names match, by their names as sources: `{ 'cell.ts': '…' }`. */
const readFiles = (pattern) =>
  Object.fromEntries(
    fs
      .readdirSync(__dirname)
      .sort()
      .filter((name) => pattern.test(name))
      .map((name) => [name.replace(/cjs$/, 'ts'), fs.readFileSync(path.join(__dirname, name), 'utf8')]),
  );

/** Every source of the kernel as JavaScript: `{ 'cell.ts': '…' }`. */
function compileSources(cacheFolder) {
  if (isPackage) return readFiles(/(?<!^launch)\.cjs$/);
  const sources = readFiles(/(?<!\.d|\.test|bench)\.ts$/);
  const hash = createHash('sha256')
    .update(JSON.stringify([sources, process.version]))
    .digest('hex');
  const cacheFile = path.join(cacheFolder ?? '', 'sources.json');
  try {
    const cached = cacheFolder ? JSON.parse(fs.readFileSync(cacheFile, 'utf8')) : {};
    if (cached.hash === hash) return cached.compiled;
  } catch {
    // None yet, or damaged: compile.
  }
  const ts = requireFromTslab('@tslab/typescript-for-tslab');
  const compiled = {};
  for (const [fileName, text] of Object.entries(sources)) {
    compiled[fileName] = ts.transpileModule(text, {
      fileName,
      compilerOptions: { module: 'commonjs', target: 'es2022', esModuleInterop: true },
    }).outputText;
  }
  if (!cacheFolder) return compiled;
  try {
    fs.mkdirSync(cacheFolder, { recursive: true });
    const whole = `${cacheFile}.${process.pid}`;
    fs.writeFileSync(whole, JSON.stringify({ hash, compiled }));
    fs.renameSync(whole, cacheFile); // so that nobody reads half of it
  } catch {
    // A read-only checkout compiles each time.
  }
  return compiled;
}

/**
 * These files run in a realm of their own: a cell that changes `Array.prototype`, `JSON` or `Promise` does not change
 * theirs. They decide how a cell ended, and tell it; what they do must not depend on what a cell does. The others hand
 * objects to the cells, or load what is not ours.
 */
const APART = new Set([
  ...['kernel.ts', 'execution.ts', 'cell.ts', 'strays.ts', 'process-events.ts', 'finish.ts'],
  ...['output.ts', 'children.ts', 'traceback.ts', 'script.ts', 'diagnostics.ts', 'link.ts'],
  ...['compiler.ts', 'declarations.ts', 'variables.ts', 'instrument.ts', 'options.ts', 'editor.ts'],
]);
// What a realm does not bring along is Node's; and an error that reaches a cell must be an `Error` there.
const fromNode = {
  ...{ globalThis, process, Buffer, console, Error, TypeError, RangeError, Uint8Array },
  ...{ performance, setTimeout, clearTimeout, setImmediate, queueMicrotask },
};
const realm = vm.createContext();
const fromRealm = vm.runInContext(
  '({ Array, Atomics, Int32Array, JSON, Map, Math, Number, Object, Promise, Proxy, Reflect, RegExp, Set, String, Symbol, WeakMap, WeakRef, WeakSet })',
  realm,
);

function load(name, compiled, modules) {
  if (modules[name]) return modules[name].exports;
  const loaded = { exports: {} };
  modules[name] = loaded;
  // As parameters, for to look a global of another realm up takes V8 a hundred times as long.
  const given = APART.has(name) ? { ...fromRealm, ...fromNode } : {};
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname', ...Object.keys(given)];
  const wrapped = `(function (${parameters}) {${compiled[name]}\n})`;
  const filename = path.join(__dirname, name);
  const requireHere = (id) => {
    if (id.startsWith('./')) return load(id.slice(2).replace(/\.js$/, '.ts'), compiled, modules);
    if (id.startsWith('tslab')) return require(id);
    return requireFromTslab(id);
  };
  const run = APART.has(name)
    ? vm.runInContext(wrapped, realm, { filename })
    : vm.runInThisContext(wrapped, { filename });
  run(loaded.exports, requireHere, loaded, filename, __dirname, ...Object.values(given));
  return loaded.exports;
}

if (isMainThread) {
  const options = { js: { type: 'boolean', default: false }, settings: { type: 'string' } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const { js: isJS } = values;
  const [connectionFile] = positionals;
  if (!connectionFile || !fs.existsSync(connectionFile)) {
    const got = connectionFile ? `no file ${connectionFile}` : 'none';
    console.error(`Expected the path of a Jupyter connection file, got ${got}.`);
    console.error('Jupyter starts this kernel; to start one by hand: jupyter console --kernel tslab');
    process.exit(2);
  }
  const settings = readSettings(values.settings);
  const compiled = compileSources(settings.cacheFolder);
  const shared = new SharedArrayBuffer(16);
  const front = new Worker(__filename, { workerData: { connectionFile, compiled, shared, isJS, settings } });
  const modules = {};
  load('settings.ts', compiled, modules).setSettings(settings);
  load('typescript.ts', compiled, modules); // first: what is loaded of tslab gets the same compiler
  load('kernel.ts', compiled, modules).start(front, shared, isJS);
} else {
  const modules = {};
  load('settings.ts', workerData.compiled, modules).setSettings(workerData.settings);
  load('front.ts', workerData.compiled, modules).start(workerData);
}
