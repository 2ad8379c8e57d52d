// @ts-check
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Problem } from '../shared/problem.mjs';
import { lock } from './lock.mjs';
import { checkout, pathsOf } from './paths.mjs';
import { kernelspec, labSettings, npmPackages, pythonEnvironment } from './steps.mjs';

/** @typedef {import('./steps.mjs').Step} Step */

/**
 * Brings a checkout up to date: installs what is missing, and nothing else. Takes milliseconds when
 * nothing is.
 * @param {object} [options]
 * @param {string} [options.root]
 * @param {boolean} [options.onlyNpm] for commands that need no Jupyter
 * @param {(line: string) => void} [options.say]
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<Step[]>} what had to be done
 */
export async function setUp({
  root = checkout,
  onlyNpm = false,
  say = (line) => process.stderr.write(`${line}\n`),
  signal = new AbortController().signal,
} = {}) {
  const paths = pathsOf(root);
  // Packages of npm and of Python know nothing of each other: they are installed at the same time.
  const slow = onlyNpm ? [npmPackages(paths)] : [npmPackages(paths), pythonEnvironment(paths)];
  const quick = onlyNpm ? [] : [kernelspec(paths), labSettings(paths)];
  const steps = [...slow, ...quick];
  if (steps.every((step) => step.isDone())) return [];

  writable(paths.stamps);
  const held = await lock(
    join(paths.stamps, 'lock'),
    (pid) => say(`Another set-up of this folder is under way (process ${pid}): waiting for it.`),
    signal,
  );
  const stopping = new AbortController();
  const stop = () => stopping.abort(signal.reason);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const context = { signal: stopping.signal, working: held.working };
  /** @type {Step[]} */
  const todo = steps.filter((step) => !step.isDone()); // again: who held the lock may have done it
  const progress = reporter(todo, say);
  try {
    const run = async (/** @type {Step} */ step) => {
      const began = performance.now();
      await step.run(context);
      progress.done(step, performance.now() - began);
    };
    const both = slow
      .filter((step) => todo.includes(step))
      .map((step) =>
        run(step).catch((error) => {
          stopping.abort(error);
          throw error;
        }),
      );
    const settled = await Promise.allSettled(both);
    const failed = settled.find((one) => one.status === 'rejected' && one.reason instanceof Problem);
    const any = failed ?? settled.find((one) => one.status === 'rejected');
    if (any?.status === 'rejected') throw any.reason;
    // Asked anew: an environment made again has none of what the old one was given.
    for (const step of quick) if (!step.isDone()) await run(step);
  } finally {
    progress.stop();
    signal.removeEventListener('abort', stop);
    held.release();
  }
  return todo;
}

function writable(/** @type {string} */ folder) {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new Problem(
      `${folder} cannot be made (${code}). The course keeps all it installs inside its own folder: clone it to a place where you may write.`,
    );
  }
}

/**
 * Tells what is done: on a terminal with a clock, else by lines.
 * @param {Step[]} todo
 * @param {(line: string) => void} say
 */
function reporter(todo, say) {
  const width = Math.max(0, ...todo.map(({ name }) => name.length));
  const began = performance.now();
  const left = new Set(todo);
  if (todo.some(({ isSlow }) => isSlow)) {
    say('Setting up, for the first time or after a change (a minute or two):');
    for (const { name, doing, isSlow } of todo) if (isSlow) say(`  … ${name.padEnd(width)}  ${doing}`);
  }
  const live = process.stderr.isTTY && todo.some(({ isSlow }) => isSlow);
  const clear = () => live && process.stderr.write('\r\x1b[K');
  const draw = () => {
    const names = [...left].filter(({ isSlow }) => isSlow).map(({ name }) => name);
    if (live && names.length)
      process.stderr.write(`\r\x1b[K  ${inSeconds(performance.now() - began)}  ${names.join(', ')}`);
  };
  const timer = setInterval(draw, 1_000);
  return {
    done(/** @type {Step} */ step, /** @type {number} */ ms) {
      left.delete(step);
      clear();
      say(`  ✓ ${step.name.padEnd(width)}  ${step.doing}  ${inSeconds(ms)}`);
      draw();
    },
    stop() {
      clearInterval(timer);
      clear();
    },
  };
}

/** @param {number} ms */
export function inSeconds(ms) {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
