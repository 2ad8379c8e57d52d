// @ts-check
// `node scripts/run.mjs NAME [flags]`: brings the checkout up to date, then runs scripts/NAME.ts.
// In one process, so that signals have one place to go. Node's built-ins alone up to the import.
import './shared/platform.mjs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commands } from './commands.mjs';
import { setUp } from './setup/set-up.mjs';
import { SIGNALS, tellError } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout } from './shared/paths.mjs';

/** @typedef {import('./shared/flag-types.js').Command} Command */

const [name = '', ...args] = process.argv.slice(2);
/** @type {Command | undefined} */
const command = Object.hasOwn(commands, name) ? commands[/** @type {keyof typeof commands} */ (name)] : undefined;
if (!command) {
  process.stderr.write(`There is no command "${name}". "npm run" lists them.\n`);
  process.exit(2);
}

const stopping = new AbortController();
let code = 0;
const stop = (/** @type {keyof typeof SIGNALS} */ signal) => {
  if (code) process.exit(code);
  code = SIGNALS[signal];
  stopping.abort();
};
for (const signal of Object.keys(SIGNALS)) process.on(signal, stop);
try {
  // A flag that does not exist is told before anything is installed.
  readFlags(command, args);
  await setUp({ onlyNpm: command.onlyNpm ?? false, signal: stopping.signal });
} catch (error) {
  process.exit(code || tellError(error));
}
for (const signal of Object.keys(SIGNALS)) process.off(signal, stop);

const { register } = await import('tsx/esm/api');
register();
const script = join(checkout, 'scripts', `${name}.ts`);
process.argv = [process.execPath, script, ...args];
await import(pathToFileURL(script).href);
