// @ts-check
// `node scripts/run.mjs NAME [flags]`: brings the checkout up to date, then runs scripts/NAME.ts.
// In one process, so that signals have one place to go. Node's built-ins alone up to the import.
import './shared/platform.mjs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setUp } from './setup/set-up.mjs';
import { SIGNALS, tellError } from './shared/command.mjs';
import { checkout } from './shared/paths.mjs';

/** These need no Jupyter. */
const ONLY_NPM = new Set(['server', 'check', 'bench']);

const [name = '', ...args] = process.argv.slice(2);
const script = join(checkout, 'scripts', `${name}.ts`);
if (!/^[\w-]+$/.test(name) || !existsSync(script)) {
  process.stderr.write(`There is no command "${name}". "npm run" lists them.\n`);
  process.exit(2);
}
const help = args.some((arg) => arg === '--help' || arg === '-h');

const stopping = new AbortController();
let code = 0;
const stop = (/** @type {keyof typeof SIGNALS} */ signal) => {
  if (code) process.exit(code);
  code = SIGNALS[signal];
  stopping.abort();
};
for (const signal of Object.keys(SIGNALS)) process.on(signal, stop);
try {
  await setUp({ onlyNpm: help || ONLY_NPM.has(name), signal: stopping.signal });
} catch (error) {
  process.exit(code || tellError(error));
}
for (const signal of Object.keys(SIGNALS)) process.off(signal, stop);

const { register } = await import('tsx/esm/api');
register();
process.argv = [process.execPath, script, ...args];
await import(pathToFileURL(script).href);
