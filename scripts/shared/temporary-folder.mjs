// @ts-check
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import './child.mjs'; // first: its children are killed before the folders that they write into are removed

/**
 * @typedef {object} TemporaryFolder
 * @property {string} path
 * @property {() => void} remove with all that is in it
 */

/** @type {Set<string>} */
const folders = new Set();

const remove = (/** @type {string} */ folder) =>
  // Again, where a killed child has just written another file.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });

/**
 * Makes a folder for what is needed only while this process runs. It is removed when this process exits, at the latest: a second
 * Ctrl-C ends a command at once, without any `finally`.
 * @param {string} prefix of its name: `polling-lab-bench-`
 * @param {string} [parent] Default: the system's folder for temporary files.
 * @returns {TemporaryFolder}
 */
export function temporaryFolder(prefix, parent = tmpdir()) {
  const path = mkdtempSync(join(parent, prefix));
  folders.add(path);
  return {
    path,
    remove: () => {
      remove(path);
      folders.delete(path);
    },
  };
}

process.on('exit', () => {
  for (const folder of folders) {
    try {
      remove(folder);
    } catch {
      // The process is exiting, so it can't report the error.
    }
  }
});
