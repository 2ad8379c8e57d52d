import { type ParseArgsConfig, parseArgs } from 'node:util';

const MAX = Number.MAX_SAFE_INTEGER;
/** The longest that a timer of Node's can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** The most that HTTP/2 lets be told (RFC 9113, section 6.5.2). */
const MAX_STREAMS = 2 ** 32 - 1;

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
/** More than any one event or job takes, so that the newest is always held. */
const MIN_BYTES = 256 * 1024;

/**
 * Every setting: its default; the least and the most a number may be; what it is. `maxJobs` is the flag `--max-jobs`
 * and the environment variable `MAX_JOBS`. Units are in the names: `Ms` is milliseconds, `Bytes` is bytes.
 */
const table = {
  port: [4321, 0, 65535, 'HTTP port; 0 takes any free one'],
  httpsPort: [4322, 0, 65535, 'HTTPS port, for HTTP/2 too; any free one with --port 0'],
  data: ['.polling-lab/data', 'folder for the log and the uploads (DATA_DIR)'],
  state: ['', 'file that tells where this server is (STATE_FILE)'],
  heartbeatMs: [15_000, 10, MAX_TIMER_MS, 'silence before a stream gets a comment'],
  retryMs: [1_000, 0, MAX_TIMER_MS, 'reconnection time told to clients'],
  maxUploadBytes: [4 * GiB, 1, MAX, 'largest upload (413)'],
  maxJobs: [10_000, 1, MAX, 'unfinished jobs (429)'],
  maxWaiters: [12_000, 1, MAX, 'waiting clients (503)'],
  maxConnections: [20_000, 1, MAX, 'open HTTP connections (the rest are closed at once)'],
  maxSecureConnections: [1_000, 1, MAX, 'open HTTPS connections (the rest are closed at once)'],
  maxStreams: [100, 1, MAX_STREAMS, 'open streams of an HTTP/2 connection (the rest wait)'],
  maxStoredBytes: [16 * GiB, 1, MAX, 'uploads on the disk, in all (503)'],
  keepJobs: [1_000, 1, MAX, 'finished jobs kept (the oldest go: 404)'],
  keepJobBytes: [16 * MiB, MIN_BYTES, MAX, 'what they take in memory; more with --keep-jobs'],
  maxEvents: [100_000, 1, MAX, 'events held (the oldest go: gap)'],
  maxEventBytes: [32 * MiB, MIN_BYTES, MAX, 'what they take in memory; more with --max-events'],
  maxRows: [20_000, 1, MAX, 'ledger rows held (totals stay exact)'],
  maxExperiments: [1_000, 1, MAX, 'experiment names (the one longest unused goes)'],
  allowHost: ['', 'host names served beside loopback, with commas'],
  allowOrigin: ['', 'origins allowed beside loopback, with commas'],
  stallMs: [30_000, 10, MAX_TIMER_MS, 'a reader that takes nothing for so long is dropped'],
  headTimeoutMs: [10_000, 10, MAX_TIMER_MS, 'time for a whole request head (408)'],
  bodyTimeoutMs: [300_000, 10, MAX_TIMER_MS, 'time for a whole request (408)'],
  graceMs: [5_000, 0, MAX_TIMER_MS, 'time to finish what can finish after SIGTERM'],
  ignoreEnv: [false as boolean, 'take no setting from the environment: for a server that a program starts'],
  exitWithStdin: [false as boolean, 'end when standard input ends: for a parent that may be killed'],
} satisfies Record<string, [number, number, number, string] | [string | boolean, string]>;

type Name = keyof typeof table;
const names = Object.keys(table) as Name[];
const flag = (name: string) => name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
const variable = (name: string) =>
  ({ data: 'DATA_DIR', state: 'STATE_FILE' })[name] ?? flag(name).replaceAll('-', '_').toUpperCase();

/** The settings. `asked` says which were given, not defaulted. */
export type Settings = { [N in Name]: (typeof table)[N][0] } & { asked: ReadonlySet<string> };

/** A setting that cannot be used. Its message says what was expected, what was got, and what to do. */
export class SettingError extends Error {}

/** Reads the settings from flags, then the environment, then the defaults. Null when help was asked for. */
export function readSettings(args: string[], env: NodeJS.ProcessEnv): Settings | null {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
  for (const name of names) options[flag(name)] = { type: typeof table[name][0] === 'boolean' ? 'boolean' : 'string' };
  let given: ReturnType<typeof parseArgs>['values'];
  try {
    given = parseArgs({ args, options }).values;
  } catch (error) {
    throw new SettingError(`${(error as Error).message} See --help.`);
  }
  if (given.help) return null;
  // The settings that a user exports for one server do not reach the servers that programs start for themselves.
  const variables = given['ignore-env'] ? {} : env;
  const asked = new Set<string>();
  const settings: Record<string, unknown> = { asked };
  for (const name of names) {
    const value = given[flag(name)] ?? (variables[variable(name)] || undefined);
    if (value !== undefined) asked.add(name);
    settings[name] = value === undefined ? table[name][0] : read(name, String(value));
  }
  if (!asked.has('httpsPort')) {
    if (settings.port === 0) settings.httpsPort = 0;
    // A default gives way to what was asked for.
    else if (settings.port === settings.httpsPort) settings.httpsPort = Number(settings.port) + 1;
  }
  // Asked for more events or jobs, the server does not let them go for their bytes: the default grows with the number.
  for (const [number, bytes] of [
    ['maxEvents', 'maxEventBytes'],
    ['keepJobs', 'keepJobBytes'],
  ] as const) {
    const share = Number(settings[number]) / table[number][0];
    if (!asked.has(bytes)) settings[bytes] = Math.ceil(table[bytes][0] * Math.max(1, share));
  }
  return settings as Settings;
}

function read(name: Name, value: string): number | string | boolean {
  const [fallback, min, max] = table[name];
  if (typeof fallback === 'string') return value;
  if (typeof fallback === 'boolean') return !['false', '0'].includes(value);
  if (/^\d+$/.test(value) && Number(value) >= Number(min) && Number(value) <= Number(max)) return Number(value);
  throw new SettingError(
    `--${flag(name)} (${variable(name)}) expects a whole number from ${min} to ${max}, got "${value}". See --help.`,
  );
}

/** The text of `--help`. */
export function help(): string {
  const lines = names.map((name) => {
    const [fallback] = table[name];
    return `  --${flag(name).padEnd(17)} ${table[name].at(-1)} (default ${fallback === '' ? 'none' : fallback})`;
  });
  const note = 'Each is an environment variable, too: PORT for --port, MAX_JOBS for --max-jobs.';
  return ['Usage: npm run server -- [flags]', '', ...lines, '', note, ''].join('\n');
}
