// @ts-check
// `npm run setup`: brings this checkout up to date. Every other command does so by itself.
// Runs before anything is installed: Node's built-ins alone.
import './shared/platform.mjs';
import { inSeconds, setUp } from './setup/set-up.mjs';
import { readFlags } from './shared/flags.mjs';
import { whole } from './shared/whole.mjs';

const HELP = `npm run setup

Installs what is missing: the npm packages of the lock file, a Python environment with JupyterLab in
.polling-lab/venv, the TypeScript kernel and JupyterLab's settings in it. Every other command does this
by itself; nothing outside this folder is written but npm's and pip's caches.

PYTHON names the Python to make the environment with (3.10 or newer).
`;

await whole(async (signal) => {
  readFlags(HELP, {});
  const began = performance.now();
  const done = await setUp({ signal });
  const ms = performance.now() - began;
  process.stdout.write(done.length ? `Set up in ${inSeconds(ms)}.\n` : `Up to date (${Math.round(ms)} ms).\n`);
});
