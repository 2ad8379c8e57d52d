// @ts-check
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** A hash of all that a step depends on. */
export function fingerprint(/** @type {unknown[]} */ ...parts) {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Whether a step was finished, whole, with this fingerprint. */
export function isStamped(/** @type {string} */ file, /** @type {string} */ print) {
  return readText(file) === print;
}

export function stamp(/** @type {string} */ file, /** @type {string} */ print) {
  writeWhole(file, print);
}

export function unstamp(/** @type {string} */ file) {
  rmSync(file, { force: true });
}

/** @returns {string | null} */
export function readText(/** @type {string} */ file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Writes a file whole or not at all. */
export function writeWhole(/** @type {string} */ file, /** @type {string} */ text) {
  mkdirSync(dirname(file), { recursive: true });
  const part = `${file}.${process.pid}.part`;
  writeFileSync(part, text);
  renameSync(part, file);
}
