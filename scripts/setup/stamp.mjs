// @ts-check
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readText, writeWhole as stamp } from '../shared/files.mjs';

export { stamp };

/** A hash of all that a step depends on. */
export function fingerprint(/** @type {unknown[]} */ ...parts) {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Whether a step was finished with this fingerprint. */
export function isStamped(/** @type {string} */ file, /** @type {string} */ print) {
  return readText(file) === print;
}

export function unstamp(/** @type {string} */ file) {
  rmSync(file, { force: true });
}
