// @ts-check
import { spawn } from 'node:child_process';

/** How long a child may take to end when it is asked to. */
const STOP_MS = 5_000;
/** How much of what a child says is kept. */
const TAIL = 20_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/**
 * @typedef {object} Running
 * @property {import('node:child_process').ChildProcess} process
 * @property {() => string} said the last it wrote to stdout and stderr, where they are pipes
 * @property {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} ended never rejects
 * @property {() => Promise<void>} stop asks it to end, and makes it after five seconds
 */

/**
 * Starts a program as the leader of a process group of its own: a Ctrl-C in the terminal is ours to
 * handle, and `stop` reaches whatever the program started. What still runs when this process ends is
 * killed.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Running}
 */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options, detached: true });
  children.add(child);
  let tail = '';
  /** @param {string} text */
  const keep = (text) => {
    tail = (tail + text).slice(-TAIL);
  };
  child.stdout?.setEncoding('utf8').on('data', keep);
  child.stderr?.setEncoding('utf8').on('data', keep);
  child.stdin?.on('error', () => {}); // it may be gone already: 'close' tells

  /** @type {Running['ended']} */
  const ended = new Promise((resolve) => {
    child.once('error', (error) => {
      keep(`${error.message}\n`);
      children.delete(child);
      resolve({ code: null, signal: null });
    });
    child.once('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal });
    });
  });
  const stop = async () => {
    if (!children.has(child)) return;
    signalGroup(child.pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), STOP_MS);
    await ended.finally(() => clearTimeout(timer));
  };
  return { process: child, said: () => tail, ended, stop };
}

/**
 * Sends a signal to a process group, if it is still there.
 * @param {number | undefined} pid of its leader
 * @param {NodeJS.Signals} signal
 */
export function signalGroup(pid, signal) {
  try {
    if (pid) process.kill(-pid, signal);
  } catch {
    // gone already
  }
}

/** Whether a process of this id runs. */
export function isAlive(/** @type {number} */ pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

process.on('exit', () => {
  for (const child of children) signalGroup(child.pid, 'SIGKILL');
});
