// @ts-check
// The kernels in a Jupyter: their kernelspecs, and what lets papermill pass parameters to them.
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { readText, writeWhole } from '../../shared/files.mjs';
import { Problem } from '../../shared/problem.mjs';

/**
 * A kernelspec that was there before stays beside ours under this name, and a later one under the name with a number. Jupyter
 * looks for `kernel.json` alone.
 */
const KEPT = 'kernel.json.before-polling-lab';
const LAUNCHER = 'launch.cjs';
/** What a kernelspec of this project has as `package` in its metadata (`kernel.json`). */
const PACKAGE = '@polling-lab/kernel';
const MODULE = 'polling_lab_papermill';

/** The names under which the kernels stand in for those of a stock tslab. */
export const NAMES_OF_TSLAB = { typescript: 'tslab', javascript: 'jslab' };
/** The names under which they stand beside them. */
export const OWN_NAMES = { typescript: 'polling-lab-ts', javascript: 'polling-lab-js' };

/**
 * A Jupyter to register in: its data folder, and the folders of the Python packages that papermill is among.
 * @typedef {{ data: string, packages: string[] }} Place
 * What to register: the folder of the kernel, its settings (`settings.ts`), and the names of the kernels. All paths are absolute.
 * @typedef {{ folder: string, settings?: string, names?: typeof NAMES_OF_TSLAB }} Kernel
 * @typedef {{ path: string, text: string }} File
 */

/** The Jupyter of a Python environment: a virtual one, conda's, the system's. @returns {Place} */
export function placeInPrefix(/** @type {string} */ prefix) {
  return { data: join(prefix, 'share', 'jupyter'), packages: packageFolders(prefix) };
}

/**
 * The data folder of this user, which every Jupyter of theirs looks into.
 * https://docs.jupyter.org/en/latest/use/jupyter-directories.html#data-files
 * @returns {Place}
 */
export function placeOfUser(env = process.env, platform = process.platform) {
  const shared = env.XDG_DATA_HOME || join(homedir(), '.local', 'share');
  const usual = platform === 'darwin' ? join(homedir(), 'Library', 'Jupyter') : join(shared, 'jupyter');
  return { data: env.JUPYTER_DATA_DIR || usual, packages: [] };
}

/**
 * What a registration writes.
 * @param {Kernel} kernel
 * @param {Place} place
 * @returns {File[]}
 */
export function registrationFiles({ folder, settings, names = NAMES_OF_TSLAB }, place) {
  const template = readText(join(folder, 'kernel.json')) ?? '{}';
  const spec = fillTemplate(template, { node: process.execPath, kernel: folder, ...(settings && { settings }) });
  const suffix = names === NAMES_OF_TSLAB ? '' : ' (Polling Lab)';
  const ofLanguage = (/** @type {string} */ language, /** @type {string[]} */ ...more) => {
    const argv = spec.argv?.flatMap((/** @type {string} */ part) => {
      if (basename(part) === LAUNCHER) return [part, ...more];
      return settings === undefined && /^(--settings|\{settings\})$/.test(part) ? [] : [part];
    });
    const display_name = `${language}${suffix}`;
    return `${JSON.stringify({ ...spec, argv, display_name, language: language.toLowerCase() }, null, 2)}\n`;
  };
  return [
    { path: kernelspecIn(place, names.typescript), text: ofLanguage('TypeScript') },
    { path: kernelspecIn(place, names.javascript), text: ofLanguage('JavaScript', '--js') },
    ...place.packages.flatMap((packages) => [
      { path: join(packages, `${MODULE}.py`), text: readText(join(folder, 'papermill', `${MODULE}.py`)) ?? '' },
      // Python finds the entry points of a distribution alone, and these files make the module one.
      {
        path: join(distribution(packages), 'METADATA'),
        text: `Metadata-Version: 2.1\nName: ${MODULE.replaceAll('_', '-')}\nVersion: 1\n`,
      },
      {
        path: join(distribution(packages), 'entry_points.txt'),
        text: `[papermill.engine]\ntslab = ${MODULE}:Engine\n`,
      },
    ]),
  ];
}

const kernelspecIn = (/** @type {Place} */ { data }, /** @type {string} */ name) =>
  join(data, 'kernels', name, 'kernel.json');
const distribution = (/** @type {string} */ folder) => join(folder, `${MODULE}-1.dist-info`);

/** Where an environment has its packages; it may have several Pythons, or none that this finds. */
function packageFolders(/** @type {string} */ prefix) {
  const lib = join(prefix, 'lib');
  if (!existsSync(lib)) return [];
  return readdirSync(lib)
    .filter((name) => /^python3(\.\d+)?$/.test(name))
    .flatMap((name) => ['site-packages', 'dist-packages'].map((folder) => join(lib, name, folder)))
    .filter(existsSync);
}

/** The kernelspecs that are kept beside this one, the oldest first. */
function keptBeside(/** @type {string} */ path) {
  if (!existsSync(dirname(path))) return [];
  const number = (/** @type {string} */ name) => Number(name.slice(KEPT.length + 1) || 1);
  return readdirSync(dirname(path))
    .filter((name) => name === KEPT || (name.startsWith(`${KEPT}.`) && number(name) > 1))
    .sort((a, b) => number(a) - number(b))
    .map((name) => join(dirname(path), name));
}

/** A name for one more. */
function freeNameBeside(/** @type {string} */ path) {
  const first = join(dirname(path), KEPT);
  let name = first;
  for (let number = 2; existsSync(name); number++) name = `${first}.${number}`;
  return name;
}

/**
 * Registers the kernels. Kernelspecs of others are kept aside. Where a file cannot be written, all is put back as it was.
 * @returns {{ registered: string[], kept: string[] }} the kernelspecs, and where those are that were there
 */
export function register(/** @type {Kernel} */ kernel, /** @type {Place} */ place) {
  /** @type {(() => void)[]} */
  const undo = [];
  const files = registrationFiles(kernel, place);
  try {
    for (const file of files) undo.unshift(...put(file));
  } catch (error) {
    for (const step of undo) step();
    const reason = /** @type {Error} */ (error).message;
    throw new Problem(
      `The kernels cannot be registered in ${place.data}: ${reason}. Nothing there was changed. Make that path writable, or move away what is in its place.`,
    );
  }
  const registered = files.map(({ path }) => path).filter((path) => basename(path) === 'kernel.json');
  return { registered, kept: registered.flatMap(keptBeside) };
}

/** Writes a file of a registration. Returns the steps that take it back; where it throws, it has taken them itself. */
function put(/** @type {File} */ { path, text }) {
  /** @type {(() => void)[]} */
  const undo = [];
  try {
    const before = readText(path);
    if (basename(path) === 'kernel.json' && before !== null && !isOurs(path)) {
      const aside = freeNameBeside(path);
      renameSync(path, aside);
      undo.unshift(() => renameSync(aside, path));
    } else if (before !== null) undo.unshift(() => writeWhole(path, before));
    const made = mkdirSync(dirname(path), { recursive: true });
    if (made) undo.unshift(() => rmSync(made, { recursive: true, force: true }));
    writeWhole(path, text);
    if (before === null) undo.unshift(() => rmSync(path, { force: true }));
    return undo;
  } catch (error) {
    for (const step of undo) step();
    throw error;
  }
}

/**
 * Takes back what `register` did. A kernelspec that has been put over ours since then stays; of those kept aside, the
 * latest comes back.
 * @returns {{ removed: string[], restored: string[], kept: string[] }} `kept`: those that are still aside
 */
export function unregister(/** @type {Place} */ place) {
  const removed = [];
  const restored = [];
  const paths = [NAMES_OF_TSLAB, OWN_NAMES].flatMap(Object.values).map((name) => kernelspecIn(place, name));
  for (const path of paths) {
    if (!isOurs(path)) continue;
    const aside = keptBeside(path).pop();
    if (aside) {
      renameSync(aside, path);
      restored.push(path);
      continue;
    }
    rmSync(path);
    if (readdirSync(dirname(path)).length === 0) rmdirSync(dirname(path));
    removed.push(path);
  }
  for (const packages of place.packages) {
    rmSync(join(packages, `${MODULE}.py`), { force: true });
    rmSync(distribution(packages), { recursive: true, force: true });
  }
  const kept = paths.flatMap(keptBeside);
  if (removed.length + restored.length === 0) {
    const aside = kept.length > 0 ? ` Kept from before: ${kept.join(', ')}.` : '';
    throw new Problem(`${place.data} has no kernel of this project: there is nothing to take back.${aside}`, {
      exitCode: 1,
    });
  }
  return { removed, restored, kept };
}

/** Our kernelspecs in a Jupyter, and what they start: Node, and the kernel. */
export function registeredIn(/** @type {Place} */ place) {
  const paths = [NAMES_OF_TSLAB, OWN_NAMES].flatMap(Object.values).map((name) => kernelspecIn(place, name));
  return paths.filter(isOurs).map((path) => {
    /** @type {string[]} */
    const argv = JSON.parse(readText(path) ?? '{}').argv;
    return { path, node: argv[0] ?? '', launcher: argv.find((part) => basename(part) === LAUNCHER) ?? '' };
  });
}

/**
 * Whether a kernelspec is of this project, of whichever checkout or installed package: it says so, or, in one from before
 * kernelspecs said so, the package that its launcher is in.
 */
function isOurs(/** @type {string} */ path) {
  try {
    const { argv, metadata } = JSON.parse(readText(path) ?? '{}');
    if (metadata?.package === PACKAGE) return true;
    const launcher = argv.find((/** @type {string} */ part) => basename(part) === LAUNCHER);
    const folder = dirname(launcher).replace(/[\\/]build$/, '');
    return JSON.parse(readText(join(folder, 'package.json')) ?? '{}').name === PACKAGE;
  } catch {
    return false;
  }
}

/**
 * Puts values in the places of `{name}`; `{connection_file}` stays, for Jupyter.
 * @param {string} template JSON
 * @param {Record<string, string>} values
 */
export function fillTemplate(template, values) {
  return JSON.parse(template, (_, value) =>
    typeof value === 'string' ? value.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole) : value,
  );
}
