import { parseArgs } from 'node:util';

const MAX = Number.MAX_SAFE_INTEGER;
/** The longest that a timer of Node's can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** The most that HTTP/2 lets be told (RFC 9113, section 6.5.2). */
const MAX_STREAMS = 2 ** 32 - 1;

const GiB = 1024 ** 3;

/**
 * Every setting: a flag, and an environment variable of the same name in capitals; its default; the least and the
 * most a number may be; what it is. Units are in the names: `-ms` is milliseconds, `-bytes` is bytes.
 */
const table = {
  port: [4321, 0, 65535, 'HTTP port; 0 takes any free one'],
  'https-port': [4322, 0, 65535, 'HTTPS port, for HTTP/2 too; any free one with --port 0'],
  data: ['.polling-lab/data', 'folder for the log and the uploads (DATA_DIR)'],
  state: ['', 'file that tells where this server is (STATE_FILE)'],
  'heartbeat-ms': [15_000, 10, MAX_TIMER_MS, 'silence before a stream gets a comment'],
  'retry-ms': [1_000, 0, MAX_TIMER_MS, 'reconnection time told to clients'],
  'max-upload-bytes': [4 * GiB, 1, MAX, 'largest upload (413)'],
  'max-jobs': [20_000, 1, MAX, 'unfinished jobs (429)'],
  'max-waiters': [30_000, 1, MAX, 'waiting clients (503)'],
  'max-streams': [100, 1, MAX_STREAMS, 'open streams of an HTTP/2 connection (the rest wait)'],
  'keep-jobs': [1_000, 1, MAX, 'finished jobs kept (the oldest go: 404)'],
  'max-events': [100_000, 1, MAX, 'events held (the oldest go: gap)'],
  'max-rows': [20_000, 1, MAX, 'ledger rows held (totals stay exact)'],
  'max-experiments': [1_000, 1, MAX, 'experiment names (the rest under "(other)")'],
  'allow-host': ['', 'host names served beside loopback, with commas'],
  'allow-origin': ['', 'origins allowed beside loopback, with commas'],
  'stall-ms': [30_000, 10, MAX_TIMER_MS, 'a reader that takes nothing for so long is dropped'],
  'head-timeout-ms': [10_000, 10, MAX_TIMER_MS, 'time for a whole request head (408)'],
  'body-timeout-ms': [300_000, 10, MAX_TIMER_MS, 'time for a whole request (408)'],
  'grace-ms': [5_000, 0, MAX_TIMER_MS, 'time to finish what can finish after SIGTERM'],
  'exit-with-stdin': [false, 'end when standard input ends: for a parent that may be killed'],
} satisfies Record<string, [number, number, number, string] | [string | boolean, string]>;

const VARIABLES: Record<string, string> = { data: 'DATA_DIR', state: 'STATE_FILE' };
const variable = (name: string) => VARIABLES[name] ?? name.replaceAll('-', '_').toUpperCase();

type Name = keyof typeof table;
type Camel<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S;
type Widen<T> = T extends number ? number : T extends boolean ? boolean : string;

/** The settings, by their names in camel case. `asked` says which were given, not defaulted. */
export type Settings = { [N in Name as Camel<N>]: Widen<(typeof table)[N][0]> } & {
  asked: ReadonlySet<string>;
};

/** A setting that cannot be used. Its message says what was expected, what was got, and what to do. */
export class SettingError extends Error {}

/** Reads the settings from flags, then the environment, then the defaults. Null when help was asked for. */
export function readSettings(args: string[], env: NodeJS.ProcessEnv): Settings | null {
  const type = (name: Name) => (typeof table[name][0] === 'boolean' ? 'boolean' : 'string');
  const names = Object.keys(table) as Name[];
  const options = Object.fromEntries(names.map((name) => [name, { type: type(name) }] as const));
  let given: Record<string, string | boolean | undefined>;
  try {
    given = parseArgs({
      args,
      options: { ...options, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    throw new SettingError(`${(error as Error).message} See --help.`);
  }
  if (given.help) return null;
  const asked = new Set<string>();
  const settings: Record<string, unknown> = { asked };
  for (const name of names) {
    const key = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    const value = given[name] ?? (env[variable(name)] || undefined);
    if (value !== undefined) asked.add(key);
    settings[key] = value === undefined ? table[name][0] : read(name, value);
  }
  if (settings.port === 0 && !asked.has('httpsPort')) settings.httpsPort = 0;
  return settings as Settings;
}

function read(name: Name, value: string | boolean): number | string | boolean {
  const [fallback, min, max] = table[name];
  if (typeof fallback === 'string') return String(value);
  if (typeof fallback === 'boolean') return !['false', '0'].includes(String(value));
  const number = /^\d+$/.test(String(value)) ? Number(value) : Number.NaN;
  if (number >= Number(min) && number <= Number(max)) return number;
  throw new SettingError(
    `--${name} (${variable(name)}) expects a whole number from ${min} to ${max}, got "${value}". See --help.`,
  );
}

/** The text of `--help`. */
export function help(): string {
  const lines = Object.entries(table).map(([name, row]) => {
    return `  --${name.padEnd(17)} ${row.at(-1)} (default ${row[0] === '' ? 'none' : row[0]})`;
  });
  const note = 'Each is an environment variable, too: PORT for --port, MAX_JOBS for --max-jobs.';
  return ['Usage: npm run server -- [flags]', '', ...lines, '', note, ''].join('\n');
}
