// @ts-check
// The kernels in a Python environment: their kernelspecs, and what lets papermill pass parameters to them.
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readText, writeWhole } from '../shared/files.mjs';
import { Problem } from '../shared/problem.mjs';

/**
 * A kernelspec that was there before stays beside ours under this name, and a later one under the name with a number. Jupyter
 * looks for `kernel.json` alone.
 */
const KEPT = 'kernel.json.before-polling-lab';
const LAUNCHER = 'launch.cjs';
const MODULE = 'polling_lab_papermill';

/** @typedef {{ path: string, text: string }} File */

/**
 * What a registration writes.
 * @param {string} kernel the folder of the kernel, absolute
 * @param {string} prefix the folder of the Python environment, absolute
 * @returns {File[]}
 */
export function registrationFiles(kernel, prefix) {
  const template = readText(join(kernel, 'kernel.json')) ?? '{}';
  const settings = join(dirname(kernel), 'kernel-settings.json');
  const typescript = fillTemplate(template, { node: process.execPath, kernel, settings });
  const { argv = [] } = typescript;
  const javascript = {
    ...typescript,
    argv: argv.flatMap((/** @type {string} */ part) => (basename(part) === LAUNCHER ? [part, '--js'] : [part])),
    display_name: 'JavaScript',
    language: 'javascript',
  };
  return [
    { path: kernelspecIn(prefix, 'tslab'), text: `${JSON.stringify(typescript, null, 2)}\n` },
    { path: kernelspecIn(prefix, 'jslab'), text: `${JSON.stringify(javascript, null, 2)}\n` },
    ...packageFolders(prefix).flatMap((folder) => [
      { path: join(folder, `${MODULE}.py`), text: readText(join(kernel, 'papermill', `${MODULE}.py`)) ?? '' },
      // Python finds the entry points of a distribution alone, and these files make the module one.
      {
        path: join(distribution(folder), 'METADATA'),
        text: `Metadata-Version: 2.1\nName: ${MODULE.replaceAll('_', '-')}\nVersion: 1\n`,
      },
      {
        path: join(distribution(folder), 'entry_points.txt'),
        text: `[papermill.engine]\ntslab = ${MODULE}:Engine\n`,
      },
    ]),
  ];
}

const kernelspecIn = (/** @type {string} */ prefix, /** @type {string} */ name) =>
  join(prefix, 'share', 'jupyter', 'kernels', name, 'kernel.json');
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
 * Registers the kernels in an environment that is not this checkout's. Kernelspecs of others are kept aside. Where a file
 * cannot be written, all is put back as it was.
 * @returns {{ registered: string[], kept: string[] }} the kernelspecs, and where those are that were there
 */
export function register(/** @type {string} */ kernel, /** @type {string} */ prefix) {
  if (!existsSync(join(prefix, 'bin', 'python')))
    throw new Problem(`--into expects the folder of a Python environment, with bin/python in it, got "${prefix}".`);
  /** @type {(() => void)[]} */
  const undo = [];
  try {
    for (const file of registrationFiles(kernel, prefix)) undo.unshift(...put(file));
  } catch (error) {
    for (const step of undo) step();
    const reason = /** @type {Error} */ (error).message;
    throw new Problem(
      `--into: the kernels cannot be registered in ${prefix}: ${reason}. Nothing there was changed. Make that path writable, or move away what is in its place.`,
    );
  }
  const registered = ['tslab', 'jslab'].map((name) => kernelspecIn(prefix, name));
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
export function unregister(/** @type {string} */ prefix) {
  const removed = [];
  const restored = [];
  for (const name of ['tslab', 'jslab']) {
    const path = kernelspecIn(prefix, name);
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
  for (const folder of packageFolders(prefix)) {
    rmSync(join(folder, `${MODULE}.py`), { force: true });
    rmSync(distribution(folder), { recursive: true, force: true });
  }
  const kept = ['tslab', 'jslab'].flatMap((name) => keptBeside(kernelspecIn(prefix, name)));
  if (removed.length + restored.length === 0) {
    const aside = kept.length > 0 ? ` Kept from before: ${kept.join(', ')}.` : '';
    throw new Problem(`${prefix} has no kernel of this project: there is nothing to take back.${aside}`, {
      exitCode: 1,
    });
  }
  return { removed, restored, kept };
}

/** Whether a kernelspec is of this project, of whichever checkout. */
function isOurs(/** @type {string} */ path) {
  try {
    const { argv } = JSON.parse(readText(path) ?? '{}');
    return argv.some((/** @type {string} */ part) => part.endsWith(join('scripts', 'kernel', LAUNCHER)));
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
