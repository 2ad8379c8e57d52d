// @ts-check
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that was cloned. */
export const checkout = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Where set-up puts things. All of it is inside the checkout.
 * @param {string} root
 */
export function pathsOf(root) {
  const own = join(root, '.polling-lab');
  const venv = join(own, 'venv');
  return {
    root,
    own,
    venv,
    python: join(venv, 'bin', 'python'),
    kernelspec: join(venv, 'share', 'jupyter', 'kernels', 'tslab', 'kernel.json'),
    overrides: join(venv, 'share', 'jupyter', 'lab', 'settings', 'overrides.json'),
    requirements: join(root, 'scripts', 'setup', 'requirements.txt'),
    kernel: join(root, 'scripts', 'kernel'),
    nodeModules: join(root, 'node_modules'),
    lockFile: join(root, 'package-lock.json'),
    stamps: join(own, 'setup'),
    /** Programs in Java that commands and notebooks have fetched. */
    jars: join(own, 'jars'),
    jupyter: join(own, 'jupyter'),
    /** Tells of the running server. */
    state: join(own, 'state.json'),
    serverLog: join(own, 'server.log'),
    /** Tells of the running JupyterLab. */
    lab: join(own, 'lab.json'),
    labLog: join(own, 'lab.log'),
  };
}

/** @typedef {ReturnType<typeof pathsOf>} Paths */

/** The file names of the course's notebooks, in the order of their numbers. */
export function courseNotebooks(/** @type {string} */ root) {
  return readdirSync(join(root, 'notebooks'))
    .filter((name) => /^\d\d-.*\.ipynb$/.test(name))
    .sort();
}
