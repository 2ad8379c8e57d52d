// @ts-check
// The server's settings, in JavaScript, so that `npm run server` can read its flags before anything is installed.

const MAX = Number.MAX_SAFE_INTEGER;
/** The longest that a timer of Node's can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** The most that HTTP/2 lets be told (RFC 9113, section 6.5.2). */
const MAX_STREAMS = 2 ** 32 - 1;

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
/**
 * More than any one event or job takes. A result comes in a body of at most 64 KiB. No JSON grows more, when it is written
 * again, than `1e20,` with its 5 characters, which become 22. A single character beyond Latin-1 makes the text take 2 bytes
 * for each character. That makes 64 KiB × 22 / 5 × 2 = 563.2 KiB. All else of an event or a job is less than 2 KiB.
 */
const MIN_BYTES = 576 * 1024;

/**
 * Every setting: its default; the least and the most a number may be; what it is. `maxJobs` is the flag `--max-jobs`
 * and the environment variable `MAX_JOBS`. Units are in the names: `Ms` is milliseconds, `Bytes` is bytes.
 */
export const table =
  /** @satisfies {Record<string, [number, number, number, string] | [string | boolean, string]>} */ ({
    port: [4321, 0, 65535, 'HTTP port; 0 takes any free one from 20000 to 29999'],
    httpsPort: [4322, 0, 65535, 'HTTPS port, for HTTP/2 too; any free one with --port 0'],
    listen: ['127.0.0.1', 'address to listen on; any other than loopback needs --access-token'],
    accessToken: ['', 'secret that every request must send (RFC 6750); better set as ACCESS_TOKEN'],
    data: ['.polling-lab/data', 'folder for the log and the uploads (DATA_DIR)'],
    engine: ['', 'engine that servers share: redis://HOST:PORT/DB, valkey://, rediss://; none: SQLite'],
    serverName: ['server', 'name of this server, in /healthz and in the ledger'],
    leaseMs: [3_000, 500, MAX_TIMER_MS, 'silence after which other servers on the engine take over its jobs'],
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
    ignoreEnv: [
      /** @type {boolean} */ (false),
      'take no setting from the environment: for a server that a program starts',
    ],
    exitWithStdin: [/** @type {boolean} */ (false), 'end when standard input ends: for a parent that may be killed'],
  });

/** The flag of a setting, without its dashes. */
export const flagOf = (/** @type {string} */ name) => name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);

/** The environment variable of a setting. */
export const variableOf = (/** @type {string} */ name) => {
  if (name === 'data') return 'DATA_DIR';
  if (name === 'state') return 'STATE_FILE';
  return flagOf(name).replaceAll('-', '_').toUpperCase();
};

/** The text of `--help`. */
export function help() {
  const lines = Object.entries(table).map(([name, setting]) => {
    const [fallback] = setting;
    return `  --${flagOf(name).padEnd(17)} ${setting.at(-1)} (default ${fallback === '' ? 'none' : fallback})`;
  });
  const note = 'Each is an environment variable, too: PORT for --port, MAX_JOBS for --max-jobs.';
  return ['Usage: npm run server -- [flags]', '', ...lines, '', note, ''].join('\n');
}
