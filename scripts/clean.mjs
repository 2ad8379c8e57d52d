// @ts-check
// `npm run clean`: back to what was cloned. Runs with nothing installed.
import './shared/platform.mjs';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from './commands.mjs';
import { isAlive } from './shared/child.mjs';
import { runCommand } from './shared/command.mjs';
import { readJson } from './shared/files.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout, pathsOf } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';

await runCommand(async () => {
  const { data } = readFlags(commands.clean);
  const paths = pathsOf(checkout);
  for (const [what, file] of [
    ['The server', paths.state],
    ['JupyterLab', paths.lab],
  ]) {
    const pid = readJson(/** @type {string} */ (file))?.pid;
    if (pid && isAlive(pid))
      throw new Problem(
        `${what} of this folder is running (process ${pid}). Stop it first: Ctrl-C where it was started.`,
      );
  }
  const frameworks = join(checkout, 'scripts', 'bench', 'frameworks', 'node_modules');
  const installed = [paths.own, paths.nodeModules, frameworks, join(checkout, 'build')];
  const targets = data ? [join(paths.own, 'data')] : installed;
  for (const target of targets) {
    if (!existsSync(target)) continue;
    rmSync(target, { recursive: true, force: true });
    process.stdout.write(`removed ${target.slice(checkout.length + 1)}\n`);
  }
  process.stdout.write('Clean.\n');
});
