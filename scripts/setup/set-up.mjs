// @ts-check
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { taskReporter } from '../shared/progress.mjs';
import { lock } from './lock.mjs';
import { engine, kernelspecs, labSettings, npmPackages, pythonEnvironment } from './steps.mjs';

/** @typedef {import('./steps.mjs').Step} Step */

/**
 * Brings a checkout up to date: installs what is missing, and nothing else. Takes milliseconds when
 * nothing is.
 * @param {object} [options]
 * @param {string} [options.root]
 * @param {boolean} [options.onlyNpm] for commands that need no Jupyter
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<Step[]>} what had to be done
 */
export async function setUp({ root = checkout, onlyNpm = false, signal = new AbortController().signal } = {}) {
  const paths = pathsOf(root);
  // Packages of npm and of Python know nothing of each other: they are installed at the same time.
  const slow = onlyNpm ? [npmPackages(paths)] : [npmPackages(paths), pythonEnvironment(paths)];
  const quick = onlyNpm ? [] : [kernelspecs(paths), labSettings(paths), engine(paths)];
  const steps = [...slow, ...quick];
  if (steps.every((step) => step.isDone())) return [];

  writable(paths.stamps);
  const reporter = taskReporter(process.stderr);
  const held = await lock(
    join(paths.stamps, 'lock'),
    (pid) => reporter.print(`Another set-up of this folder is under way (process ${pid}): waiting for it.`),
    signal,
  );
  const failing = new AbortController();
  const context = { signal: AbortSignal.any([signal, failing.signal]), working: held.working };
  /** @type {Step[]} */
  const todo = steps.filter((step) => !step.isDone()); // again: another set-up may have done it meanwhile
  if (todo.some((step) => slow.includes(step))) {
    reporter.print('Setting up, for the first time or after a change (a minute or two):');
  }
  const width = Math.max(...steps.map(({ name }) => name.length));
  const run = (/** @type {Step} */ step) =>
    reporter.task(step.name, () => step.run(context), {
      detail: `${' '.repeat(width - step.name.length)}  ${step.doing}`,
    });
  try {
    const settled = await Promise.allSettled(
      slow
        .filter((step) => todo.includes(step))
        .map((step) =>
          run(step).catch((error) => {
            failing.abort(error); // one that fails stops the other
            throw error;
          }),
        ),
    );
    const failed = settled.filter((one) => one.status === 'rejected').map(({ reason }) => reason);
    if (failed.length > 0) throw failed.find((reason) => reason instanceof Problem) ?? failed[0];
    // Checked again, since an environment that was made anew has no kernels yet.
    for (const step of quick) if (!step.isDone()) await run(step);
  } finally {
    reporter.stop();
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
