// @ts-check
// `npm run setup`: brings this checkout up to date. Every other command does so by itself.
// Runs before anything is installed: Node's built-ins alone.
import './shared/platform.mjs';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { commands } from './commands.mjs';
import { placeInPrefix, register, unregister } from './kernel/cli/registration.mjs';
import { setUp } from './setup/set-up.mjs';
import { kernelOf } from './setup/steps.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout, pathsOf } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';
import { inSeconds } from './shared/progress.mjs';

await runCommand(async (signal) => {
  const flags = readFlags(commands.setup);
  // npm runs scripts in the package's folder, and tells where its user was.
  const fromUser = (/** @type {string} */ path) => resolve(process.env.INIT_CWD ?? '', path);
  const say = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);
  if (flags['out-of'] !== undefined) {
    const { removed, restored, kept } = unregister(placeInPrefix(fromUser(flags['out-of'])));
    for (const file of removed) say(`Removed: ${file}`);
    for (const file of restored) say(`As it was before: ${file}`);
    for (const file of kept) say(`Kept from before: ${file}`);
    return;
  }
  if (flags.into !== undefined && !existsSync(join(fromUser(flags.into), 'bin', 'python')))
    throw new Problem(`--into expects the folder of a Python environment, with bin/python in it, got "${flags.into}".`);
  const began = performance.now();
  const done = await setUp({ onlyNpm: flags.into !== undefined, signal });
  if (flags.into !== undefined) {
    const { registered, kept } = register(kernelOf(pathsOf(checkout)), placeInPrefix(fromUser(flags.into)));
    for (const file of registered) say(`Registered: ${file}`);
    for (const file of kept) say(`Kept what was there: ${file}`);
    say(`To take it back: npm run setup -- --out-of ${flags.into}`);
    return;
  }
  const ms = performance.now() - began;
  process.stdout.write(done.length ? `Set up in ${inSeconds(ms)}.\n` : `Up to date (${Math.round(ms)} ms).\n`);
});
