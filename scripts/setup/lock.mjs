// @ts-check
import { execFileSync } from 'node:child_process';
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, signalGroup } from '../shared/child.mjs';
import { readJson, writeWhole } from '../shared/files.mjs';

const LOOK_MS = 200;

/**
 * A process. The time at which it began tells it from a later process with the same id.
 * @typedef {{ pid: number, began: string }} Known
 * @typedef {Known & { working: Known[] }} Holder
 */

/**
 * Takes a lock file, so that two set-ups of one checkout run one after the other. If the holder was killed, what it
 * had started is killed, too, and the lock is taken over.
 * @param {string} file
 * @param {(pid: number) => void} waiting called once, with the process that holds it
 * @param {AbortSignal} signal ends the waiting
 */
export async function lock(file, waiting, signal) {
  /** @type {Holder} */
  const me = { ...know(process.pid), working: [] };
  const draft = `${file}.${process.pid}`;
  try {
    for (let told = false; ; told = true) {
      writeFileSync(draft, JSON.stringify(me));
      if (take(draft, file)) break;
      /** @type {Holder | null} */
      const holder = readJson(file);
      if (!holder || !isRunning(holder)) {
        breakStale(file, `${draft}.stale`);
        continue;
      }
      if (!told) waiting(holder.pid);
      await sleep(LOOK_MS, undefined, { signal });
    }
  } finally {
    rmSync(draft, { force: true });
  }
  let released = false;
  return {
    /** Remembers the leader of a process group that works under the lock. */
    working(/** @type {number | undefined} */ pid) {
      if (!pid) return;
      me.working.push(know(pid));
      writeWhole(file, JSON.stringify(me));
    },
    release() {
      if (!released) rmSync(file, { force: true });
      released = true; // by now it may be another's
    },
  };
}

/** To link a file is atomic, and fails where there is one already: no process sees half a lock. */
function take(/** @type {string} */ draft, /** @type {string} */ file) {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

function breakStale(/** @type {string} */ file, /** @type {string} */ aside) {
  try {
    renameSync(file, aside); // of several that find it stale, one succeeds
  } catch {
    return;
  }
  /** @type {Holder | null} */
  const moved = readJson(aside);
  if (moved && isRunning(moved)) {
    take(aside, file); // another has taken it over in between: give it back
  } else {
    for (const group of moved?.working ?? []) {
      if (group.began && isRunning(group)) signalGroup(group.pid, 'SIGKILL');
    }
  }
  rmSync(aside, { force: true });
}

/** @returns {Known} */
function know(/** @type {number} */ pid) {
  return { pid, began: beganAt(pid) };
}

function isRunning(/** @type {Known} */ known) {
  return isAlive(known.pid) && beganAt(known.pid) === known.began;
}

/** When a process began, as `ps` says it, in one language and time zone; '' where there is no `ps`. */
function beganAt(/** @type {number} */ pid) {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}
