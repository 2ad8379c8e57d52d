// @ts-check
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * The text of a file; null where it cannot be read.
 * @returns {string | null}
 */
export function readText(/** @type {string} */ file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** What a JSON file says; null where there is no such file, or it is half written. */
export function readJson(/** @type {string} */ file) {
  try {
    return JSON.parse(readText(file) ?? 'null');
  } catch {
    return null;
  }
}

/**
 * Makes a folder, and those that it is to stand in. Error: what the system says when it cannot be made.
 *
 * Node's own `recursive` never returns where the system denies that a folder exists in which one is to be made: below `/proc`.
 */
export function makeFolder(/** @type {string} */ folder) {
  if (isFolder(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error; // another process has made it meanwhile
  }
}

const isFolder = (/** @type {string} */ path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Whether a path is that of a file with content. To open anything else may block for ever: a pipe without a writer does. */
export function isFile(/** @type {string} */ path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * Writes a file atomically: a reader sees the old text or the new one, also when this process is killed halfway.
 * @param {string} file
 * @param {string} text
 * @param {number} [mode] who may read and write it. Default: whatever the umask allows.
 */
export function writeWhole(file, text, mode = 0o666) {
  makeFolder(dirname(file));
  const part = `${file}.${process.pid}.part`;
  writeFileSync(part, text, { mode });
  renameSync(part, file);
}
