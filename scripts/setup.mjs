// @ts-check
// `npm run setup`: brings this checkout up to date. Every other command does so by itself.
// Runs before anything is installed: Node's built-ins alone.
import './shared/platform.mjs';
import { resolve } from 'node:path';
import { commands } from './commands.mjs';
import { setUp } from './setup/set-up.mjs';
import { registerKernel } from './setup/steps.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout } from './shared/paths.mjs';
import { inSeconds } from './shared/progress.mjs';

await runCommand(async (signal) => {
  const { into } = readFlags(commands.setup);
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
