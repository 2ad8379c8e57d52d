// @ts-check
// `npm run clean`: back to what was cloned. Runs with nothing installed.
import './shared/platform.mjs';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from './shared/child.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout, pathsOf } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';

const HELP = `npm run clean -- [flags]

Removes what was installed and what was made: node_modules, .polling-lab (the Python environment,
JupyterLab's settings, the server's jobs, the exercises you solved) and build. Your notebooks stay as
they are. The next "npm start" installs again.

  --data       only the server's jobs and its ledger
  -h, --help
`;

await runCommand(async () => {
  const { data } = readFlags(HELP, { data: { type: 'boolean', default: false } });
  const paths = pathsOf(checkout);
  for (const [what, file] of [
    ['The server', paths.state],
    ['JupyterLab', paths.lab],
  ]) {
    const pid = pidIn(/** @type {string} */ (file));
    if (pid && isAlive(pid))
      throw new Problem(
        `${what} of this folder is running (process ${pid}). Stop it first: Ctrl-C where it was started.`,
      );
  }
  const targets = data ? [join(paths.own, 'data')] : [paths.own, paths.nodeModules, join(checkout, 'build')];
  for (const target of targets) {
    if (!existsSync(target)) continue;
    rmSync(target, { recursive: true, force: true });
    process.stdout.write(`removed ${target.slice(checkout.length + 1)}\n`);
  }
  process.stdout.write('Clean.\n');
});

/** @returns {number | null} */
function pidIn(/** @type {string} */ file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).pid;
  } catch {
    return null;
  }
}
