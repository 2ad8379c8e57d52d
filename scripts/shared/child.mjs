// @ts-check
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readText } from './files.mjs';

/** How long a child may take to end when it is asked to. */
const STOP_MS = 5_000;
/** How much of what a child says is kept, in characters. */
const TAIL = 20_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/**
 * @typedef {object} Running
 * @property {import('node:child_process').ChildProcess} process
 * @property {() => string} said the last it wrote to stdout and stderr, where they are pipes or logged
 * @property {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} ended never rejects
 * @property {() => Promise<void>} stop sends SIGTERM to the child's process group, and SIGKILL after five seconds.
 *   Resolves when the child has ended.
 */

/**
 * @typedef {Omit<import('node:child_process').SpawnOptions, 'stdio' | 'signal' | 'detached'> & {
 *   stdio?: ('ignore' | 'pipe' | 'inherit' | 'ipc' | 'log')[],
 *   log?: string,
 *   signal?: AbortSignal | undefined,
 * }} StartOptions `log`: the file that the streams marked 'log' write to, anew. `signal` stops the child.
 */

/**
 * Starts a program that goes on beside this process. See {@link own} for how it ends.
 * @param {string} command
 * @param {string[]} args
 * @param {StartOptions} [options]
 * @returns {Running}
 */
export function start(command, args, { signal, log, stdio = ['ignore', 'pipe', 'pipe'], ...options } = {}) {
  const file = log === undefined ? 'ignore' : openSync(log, 'w');
  const streams = stdio.map((stream) => (stream === 'log' ? file : stream));
  const child = spawn(command, args, { ...options, stdio: streams, detached: true });
  if (typeof file === 'number') closeSync(file); // the child has it
  let tail = '';
  /** @param {string} text */
  const keep = (text) => {
    tail = (tail + text).slice(-TAIL);
  };
  child.stdout?.setEncoding('utf8').on('data', keep);
  child.stderr?.setEncoding('utf8').on('data', keep);
  child.stdin?.on('error', () => {}); // it may have ended already: 'close' tells
  child.once('error', (error) => keep(`${error.message}\n`));
  const said = () => (log === undefined ? tail : tail + (readText(log) ?? '')).slice(-TAIL);
  return { process: child, said, ...own(child, signal) };
}

/**
 * Answers for a child that leads a process group of its own (`detached`), so that a Ctrl-C in the terminal reaches
 * only this process, and `stop` reaches whatever the child started. The child is stopped when `signal` aborts, and
 * killed when this process exits.
 * @param {import('node:child_process').ChildProcess} child
 * @param {AbortSignal} [signal]
 * @returns {Pick<Running, 'ended' | 'stop'>}
 */
export function own(child, signal) {
  children.add(child);
  /** @type {Running['ended']} */
  const ended = new Promise((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null })); // it could not be started
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const stop = async () => {
    if (!children.has(child)) return;
    signalGroup(child.pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), STOP_MS);
    await ended.finally(() => clearTimeout(timer));
  };
  const aborted = () => void stop();
  signal?.addEventListener('abort', aborted);
  void ended.then(() => {
    children.delete(child);
    signal?.removeEventListener('abort', aborted);
  });
  if (signal?.aborted) aborted();
  return { ended, stop };
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
    // it has ended already
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
