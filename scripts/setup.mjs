// @ts-check
// `npm run setup`: brings this checkout up to date. Every other command does so by itself.
// Runs before anything is installed: Node's built-ins alone.
import './shared/platform.mjs';
import { resolve } from 'node:path';
import { setUp } from './setup/set-up.mjs';
import { registerKernel } from './setup/steps.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout } from './shared/paths.mjs';
import { inSeconds } from './shared/progress.mjs';

const HELP = `npm run setup -- [flags]

Installs what is missing: the npm packages of the lock file, a Python environment with JupyterLab in
.polling-lab/venv, the TypeScript kernel and JupyterLab's settings in it. Every other command does this
by itself; nothing outside this folder is written but npm's and pip's caches.

  --into PREFIX   instead of an environment of its own: the kernel into a Jupyter that you have, by the folder of
                  its Python environment (JupyterHub, Binder; sys.prefix in Python)
  -h, --help

PYTHON names the Python to make the environment with (3.10 or newer).
`;

await runCommand(async (signal) => {
  const { into } = readFlags(HELP, { into: { type: 'string' } });
  const began = performance.now();
  const done = await setUp({ onlyNpm: into !== undefined, signal });
  if (into !== undefined) {
    // npm runs scripts in the package's folder, and tells where its user was.
    const file = await registerKernel(checkout, resolve(process.env.INIT_CWD ?? '', into));
    process.stdout.write(`The kernel TypeScript is registered: ${file}\n`);
    return;
  }
  const ms = performance.now() - began;
  process.stdout.write(done.length ? `Set up in ${inSeconds(ms)}.\n` : `Up to date (${Math.round(ms)} ms).\n`);
});
