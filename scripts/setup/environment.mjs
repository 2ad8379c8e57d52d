// @ts-check
// An environment of Python packages: made by uv where that is, else by pip.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../shared/find-program.mjs';
import { install } from './install.mjs';
import { findPython } from './python.mjs';

/** @typedef {{ cwd: string, signal: AbortSignal, working?: (pid: number | undefined) => void }} Context */

/** @type {boolean | undefined} */
let uvFound;
/** Whether there is a uv that runs. One that does not is left alone: pip does its work. */
export function hasUv() {
  uvFound ??= findProgram('uv') !== null && spawnSync('uv', ['--version']).status === 0;
  return uvFound;
}

/** What uv says it is; null where there is none. */
export function uvVersion() {
  if (!hasUv()) return null;
  return spawnSync('uv', ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? null;
}

function pythonEnv() {
  const { PYTHONHOME: _home, PYTHONPATH: _path, VIRTUAL_ENV: _active, ...env } = process.env;
  return { ...env, UV_PYTHON_DOWNLOADS: 'never', PIP_REQUIRE_VIRTUALENV: 'false' };
}

/**
 * Makes an environment in `venv`, in the place of what is there.
 * @param {string} what it is for, for the errors
 * @param {string} venv its folder
 * @param {string} requirements the file that names the packages
 * @param {Context} context
 */
export async function makeEnvironment(what, venv, requirements, context) {
  const uv = hasUv();
  const { path } = findPython(process.env, uv, what);
  rmSync(venv, { recursive: true, force: true });
  const options = { env: pythonEnv(), working: () => {}, ...context };
  if (uv) await install(what, 'uv', ['venv', '--no-project', '--python', path, venv], options);
  else await install(what, path, ['-I', '-m', 'venv', venv], options);
  await installPackages(what, venv, ['-r', requirements], context);
}

/** Removes pip itself, and what it brought: more than half of a small environment. uv never put it there. */
export async function removePip(/** @type {string} */ venv, /** @type {Context} */ context) {
  if (hasUv()) return;
  const pip = ['-I', '-m', 'pip', 'uninstall', '--quiet', '--yes', 'setuptools', 'pip'];
  const options = { env: pythonEnv(), working: () => {}, ...context };
  await install('The environment', join(venv, 'bin', 'python'), pip, options);
}

/**
 * Installs packages into an environment.
 * @param {string} what
 * @param {string} venv
 * @param {string[]} packages arguments of pip, which uv takes too
 * @param {Context} context
 */
export async function installPackages(what, venv, packages, context) {
  const python = join(venv, 'bin', 'python');
  const options = { env: pythonEnv(), working: () => {}, ...context };
  if (hasUv()) return install(what, 'uv', ['pip', 'install', '--python', python, ...packages], options);
  const quietly = ['--no-input', '--disable-pip-version-check', '--retries', '2'];
  await install(what, python, ['-I', '-m', 'pip', 'install', ...quietly, ...packages], options);
}
