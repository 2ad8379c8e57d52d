// @ts-check
import util from 'node:util';
import { Problem } from './problem.mjs';

/**
 * Reads a command's flags; `--help` prints `help` and ends the process.
 * @template {NonNullable<import('node:util').ParseArgsConfig['options']>} Options
 * @param {string} help
 * @param {Options} options as `node:util` has them
 */
export function readFlags(help, options, args = process.argv.slice(2)) {
  const all = { ...options, help: /** @type {const} */ ({ type: 'boolean', short: 'h' }) };
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help);
    process.exit(0);
  }
  try {
    return util.parseArgs({ args, options: all, allowPositionals: false, strict: true }).values;
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`);
    const got = /** @type {Error} */ (error).message.split('. ')[0];
    const expected = known.length ? `The flags are ${known.join(', ')}` : 'There are no flags';
    throw new Problem(`${got}. ${expected}; --help says more.`);
  }
}

/**
 * @param {string} flag with its dashes
 * @param {string | undefined} text
 * @returns {number | undefined}
 */
export function readPort(flag, text) {
  if (text === undefined) return undefined;
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65535) return port;
  throw new Problem(`${flag} expects a port, a number from 0 to 65535, got "${text}".`);
}
