// npx tsx scripts/soak/schemathesis.ts: holds the server to its own OpenAPI description, with requests made from it.
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SEEDS } from '../commands.mjs';
import { project } from '../project.js';
import { findPython } from '../setup/python.mjs';
import { runCommand } from '../shared/command.mjs';
import { readFlags } from '../shared/flags.mjs';
import { checkout } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { run } from '../shared/run.js';

const COMMAND = {
  call: 'npx tsx scripts/soak/schemathesis.ts',
  about: `Has Schemathesis make requests from the server's own OpenAPI description and hold each answer to it: no 5xx that
is not described; status, type, headers and body as described. It is installed once, into an environment of its own
in build/.`,
  flags: {
    seconds: {
      value: 'N',
      positive: true,
      default: '120',
      about: 'how long the requests may take (120)',
    },
    seed: { value: 'N', whole: [0, SEEDS - 1], about: 'which requests (a new one, printed)' },
  },
} as const;

/**
 * Not checked, for here an interface means more than its schemas can say: query parameters that are unknown are
 * ignored; a cursor or an Idempotency-Key is right only where the server has given it or has not seen it; DELETE
 * cancels a job, which is still there afterwards.
 */
const EXCLUDED = ['negative_data_rejection', 'positive_data_acceptance', 'use_after_free'];

const folder = join(checkout, 'build', 'schemathesis');
const requirements = join(import.meta.dirname, 'requirements-schemathesis.txt');

await runCommand(async (signal) => {
  const { seconds, seed = randomInt(SEEDS) } = readFlags(COMMAND);
  const program = await install(signal);
  const data = join(folder, 'data');
  const server = await project.startServer(data, {});
  try {
    process.stdout.write(`Schemathesis, seed ${seed}, against ${server.probe.url}\n`);
    const args = ['run', `${server.probe.url}/openapi.json`, '--seed', String(seed), '--max-time', String(seconds)];
    const checks = ['--checks', 'all', '--exclude-checks', EXCLUDED.join(), '--continue-on-failure'];
    // Of what may be JSON or a stream, JSON: a stream has no end that a client could wait for.
    const json = ['--header', 'Accept: application/json, text/plain, text/html', '--request-timeout', '30'];
    // One worker: a seed then means the same requests, and Hypothesis parses Python in threads, at which CPython 3.11 fails.
    const env = { PYTHONPATH: import.meta.dirname, SCHEMATHESIS_HOOKS: 'schemathesis_hooks' };
    const command = [program, ...args, ...checks, ...json, '--workers', '1', '--no-color'];
    const { exitCode } = await run(command, { cwd: folder, env, shown: true, signal });
    const gone = await Promise.race([server.ended, Promise.resolve(null)]);
    if (gone !== null) throw new Problem('The server ended.', { exitCode: 1, details: gone });
    return exitCode === 0 ? 0 : 1;
  } finally {
    await server.stop();
  }
});

/** Installs what the requirements name, unless it is there. Returns the program. */
async function install(signal: AbortSignal): Promise<string> {
  const program = join(folder, 'bin', 'schemathesis');
  const stamp = join(folder, 'requirements.txt');
  const wanted = await readFile(requirements, 'utf8');
  if (existsSync(program) && (await readFile(stamp, 'utf8').catch(() => '')) === wanted) return program;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { path } = findPython(process.env, false);
  for (const args of [
    [path, '-m', 'venv', folder],
    [join(folder, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements],
  ]) {
    const { exitCode } = await run(args, { shown: true, signal });
    if (exitCode !== 0) throw new Problem('Schemathesis could not be installed; pip says why above.');
  }
  await writeFile(stamp, wanted);
  return program;
}
