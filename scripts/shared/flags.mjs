// @ts-check
import util from 'node:util';
import { Problem } from './problem.mjs';

/**
 * @typedef {import('./flag-types.js').Command} Command
 * @typedef {import('./flag-types.js').Flag} Flag
 */

/** A line of the help has at most so many characters. */
const LINE = 115;

/**
 * Reads a command's flags; `--help` prints the help and ends the process. Error: a {@link Problem} that says what was
 * expected and what was got.
 * @template {Command} C
 * @param {C} command
 * @param {string[]} [args]
 * @returns {import('./flag-types.js').Values<C> & { names: string[] }}
 */
export function readFlags(command, args = process.argv.slice(2)) {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(helpOf(command));
    process.exit(0);
  }
  const flags = Object.entries(command.flags);
  /** @type {any} */
  let values;
  let names;
  try {
    const options = Object.fromEntries(
      flags.map(([name, { value, short, multiple = false }]) => {
        const type = /** @type {'string' | 'boolean'} */ (value ? 'string' : 'boolean');
        return [name, { type, multiple, ...(short && { short }) }];
      }),
    );
    ({ values, positionals: names } = util.parseArgs({ args, options, allowPositionals: Boolean(command.names) }));
  } catch (error) {
    const got = /** @type {Error} */ (error).message.split('. ')[0];
    const known = flags.map(([name]) => `--${name}`).join(', ');
    throw new Problem(`${got}. ${known ? `The flags are ${known}` : 'There are no flags'}; --help says more.`);
  }
  for (const [name, flag] of flags) {
    const given = values[name] ?? flag.default ?? (flag.multiple ? [] : flag.value ? undefined : false);
    values[name] = Array.isArray(given)
      ? given.map((one) => check(`--${name}`, one, flag))
      : given === undefined
        ? undefined
        : check(`--${name}`, given, flag);
  }
  return { ...values, names };
}

/**
 * The flags that were given, in order: the name of each, and the words that it was given by.
 * @param {Command} command
 * @param {string[]} [args]
 * @returns {[name: string, ...words: string[]][]}
 */
export function givenFlags({ flags }, args = process.argv.slice(2)) {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value, short }]) => {
      const type = /** @type {'string' | 'boolean'} */ (value ? 'string' : 'boolean');
      return [name, { type, ...(short && { short }) }];
    }),
  );
  const { tokens } = util.parseArgs({ args, options, strict: false, tokens: true });
  return tokens.flatMap((token) =>
    token.kind === 'option' ? [[token.name, token.rawName, ...(token.value === undefined ? [] : [token.value])]] : [],
  );
}

/**
 * @param {string} name
 * @param {string | boolean} given
 * @param {Flag} flag
 */
function check(name, given, { oneOf, whole, positive }) {
  const wrong = (/** @type {string} */ expected) => new Problem(`${name} expects ${expected}, got "${given}".`);
  if (oneOf && !oneOf.includes(String(given))) throw wrong(`one of ${oneOf.join(', ')}`);
  if (!whole && !positive) return given;
  const number = /^\d+(\.\d+)?$/.test(String(given)) ? Number(given) : Number.NaN;
  if (positive) {
    if (number > 0) return number;
    throw wrong('a number above 0');
  }
  const [min, max] = /** @type {[number, number]} */ (whole);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw wrong(max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`);
}

/** The help of a command. */
export function helpOf(/** @type {Command} */ { call, about, flags, names, parts = {}, notes, help }) {
  if (help !== undefined) return help;
  const rows = [
    ...Object.entries(flags).map(([name, { short, value, about }]) => [
      `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`,
      about,
    ]),
    ['-h, --help', ''],
  ];
  const usage = [call, call.startsWith('npm') ? '--' : '', '[flags]', names ? `[${names}]` : ''].filter(Boolean);
  const sections = [usage.join(' '), about, table(Object.entries(parts)), table(rows), notes ?? ''];
  return `${sections.filter(Boolean).join('\n\n')}\n`;
}

/** @param {string[][]} rows each a name and what it means; what is too long goes on below itself */
function table(rows) {
  const width = Math.max(0, ...rows.map(([name = '']) => name.length));
  const below = ' '.repeat(width + 4);
  const lines = new RegExp(`(.{1,${LINE - below.length}})(?: |$)`, 'g');
  return rows
    .map(([name = '', text = '']) => `  ${name.padEnd(width)}  ${text.replace(lines, `$1\n${below}`)}`.trimEnd())
    .join('\n');
}
