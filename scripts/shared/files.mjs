// @ts-check
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
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
 * Writes a file atomically: a reader sees the old text or the new one, also when this process is killed halfway.
 * @param {string} file
 * @param {string} text
 * @param {number} [mode] who may read and write it. Default: whatever the umask allows.
 */
export function writeWhole(file, text, mode = 0o666) {
  mkdirSync(dirname(file), { recursive: true });
  const part = `${file}.${process.pid}.part`;
  writeFileSync(part, text, { mode });
  renameSync(part, file);
}
