// What the runner makes where a project brings no Python and no kernels of its own.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { registrationFiles } from '../kernel/cli/registration.mjs';
import { makeEnvironment, removePip } from '../setup/environment.mjs';
import { lock } from '../setup/lock.mjs';
import { writeWhole } from '../shared/files.mjs';
import { taskReporter } from '../shared/progress.mjs';
import { makeWritable } from '../shared/writable.js';
import { kernelFolder } from './kernel.js';
import type { Environment } from './project.js';

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');

/** This user's folder for what can be made again. https://specifications.freedesktop.org/basedir-spec/latest/ */
const userCache = (): string =>
  process.env.XDG_CACHE_HOME ||
  join(homedir(), ...(process.platform === 'darwin' ? ['Library', 'Caches'] : ['.cache']));

/**
 * The environment that the runner keeps with its user: a Python with nbclient. The first call makes it, which takes some
 * seconds. Another version of the packages, or of PYTHON, gets another environment. Throws a Problem where there is no Python.
 */
export async function ownEnvironment(signal: AbortSignal): Promise<Environment> {
  const wanted = [readFileSync(REQUIREMENTS, 'utf8'), process.env.PYTHON ?? '', process.platform, process.arch];
  const key = createHash('sha256').update(JSON.stringify(wanted)).digest('hex').slice(0, 16);
  const folder = join(userCache(), 'notebook-runner');
  const venv = join(folder, `python-${key}`);
  const stamp = join(venv, 'complete');
  const python = join(venv, 'bin', 'python');
  const isDone = () => existsSync(stamp) && existsSync(python);
  if (isDone()) return { python };

  makeWritable(folder, 'Python environments', 'Name another cache folder: XDG_CACHE_HOME.');
  const reporter = taskReporter(process.stderr);
  const held = await lock(
    `${venv}.lock`,
    (pid) => reporter.print(`Another run makes the Python environment (process ${pid}): waiting for it.`),
    signal,
  );
  try {
    if (isDone()) return { python };
    await reporter.task(`Python environment, for the first time, in ${venv}`, async () => {
      const context = { cwd: folder, signal, working: held.working };
      await makeEnvironment('nbclient', venv, REQUIREMENTS, context);
      await removePip(venv, context);
      writeWhole(stamp, '');
    });
  } finally {
    reporter.stop();
    held.release();
  }
  return { python };
}

/** Writes the kernelspecs of the kernel that comes with the runner, and returns their folder. */
export function ownKernels(folder: string, metadataKey: string): string {
  const settings = join(folder, 'kernel-settings.json');
  writeWhole(settings, JSON.stringify({ metadataKey, cacheFolder: join(userCache(), 'tslab-kernel') }));
  for (const { path, text } of registrationFiles({ folder: kernelFolder(), settings }, { data: folder, packages: [] }))
    writeWhole(path, text);
  return join(folder, 'kernels');
}
