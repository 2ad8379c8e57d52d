// `npm run bench`: what waiting costs, measured beside the least that it could.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { gateLines, readCommitted, regressions } from './bench/gate.js';
import { heap } from './bench/heap.js';
import { installFrameworks } from './bench/install-frameworks.js';
import { hasNchan, type Name, pinClient, pinned } from './bench/measured-servers.js';
import { measureStart } from './bench/npm-start.js';
import { profile } from './bench/profile.js';
import { linesOf, type Measured, measure } from './bench/rounds.js';
import { billTable, ownTable, peerTable } from './bench/tables.js';
import { type Workload, workloads } from './bench/workloads.js';
import { draw, writeProfile, writeTables } from './bench/write-readme.js';
import { commands, otherBenches, partsOfBill } from './commands.mjs';
import { setUp } from './setup/set-up.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { typescript } from './shared/launch-server.js';
import { checkout } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';
import { run } from './shared/run.js';
import { temporaryFolder } from './shared/temporary-folder.mjs';
import { makeWritable } from './shared/writable.js';

const folder = join(checkout, 'build', 'bench');
const say = (line: string) => process.stdout.write(`${line}\n`);

await runCommand(async (signal) => {
  const { only, rounds, clients, beside, ...flags } = readFlags(commands.bench);
  const wanted = (name: string) => only.length === 0 || only.includes(name);
  const load = workloads(clients).filter(({ name }) => wanted('server') || wanted(name));
  const ofCluster = only.length === 1 && only[0] === 'cluster';
  if (flags.write && !wanted('server') && !ofCluster)
    throw new Problem('--write is for all workloads: use --only server, --only cluster, or none.');
  if (flags.gate && (flags.write || flags.profile))
    throw new Problem('--gate measures and compares, and does nothing else: leave --write and --profile out.');
  if (flags.write && beside.length > 0) throw new Problem('--write is for all servers: leave --beside out.');
  if (!existsSync('/proc/self/smaps_rollup'))
    throw new Problem('npm run bench reads processor time and memory from /proc: it needs Linux, 4.14 or newer.');

  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Node ${process.versions.node}`;
  say(machine);
  if (!pinned) say('One core, or no taskset: server and client share what there is, and times say little.');
  if (flags.gate) return gate(load, clients, signal);
  makeWritable(folder, 'the measurements', 'Move what is in its place.');

  // These first: once this process is pinned to a core, so is what it starts.
  if (!flags.profile && Object.keys(otherBenches).some(wanted)) {
    await setUp({ signal });
    if (wanted('start')) {
      say(`\nstart: ${otherBenches.start}`);
      await measureStart(rounds, signal, say);
    }
    if (wanted('kernel')) await script('kernel', 'scripts/kernel/bench.ts', ['--rounds', String(rounds)], signal);
    if (wanted('cluster')) {
      const more = flags.write ? ['--write'] : [];
      await script('cluster', 'scripts/cluster/bench.ts', ['--rounds', String(rounds), ...more], signal);
    }
    if (wanted('course')) await script('course', 'scripts/runner/bench.ts', [], signal);
  }
  if (flags.profile) {
    pinClient();
    await profileAll(load, clients, flags.write ? { machine, date: new Date().toISOString() } : null, signal);
    return 0;
  }
  if (load.length === 0) return 0;

  const missing = await missingServers(load, beside, signal);
  if (flags.write && missing.length > 0)
    throw new Problem(`--write is for all servers, and ${missing.join(', ')} cannot be measured: see above.`);
  const left = (name: Name) => !missing.includes(name) && isWanted(name, beside);
  const all = await measureAll(
    load.map((workload) => withParts(workload, beside)),
    left,
    { rounds, clients, signal },
  );
  const lines = load.flatMap((workload) => linesOf(workload, all[workload.name]!));
  const date = new Date().toISOString();
  const result = { date, machine, rounds, clients, pinned, lines, measured: all };
  await writeFile(join(folder, 'bench.json'), `${JSON.stringify(result, null, 2)}\n`);
  const tables = [peerTable(lines), ownTable(lines), all.bill ? billTable(all.bill) : ''];
  say(`\n${tables.filter(Boolean).join('\n\n')}\n\n✗: the aim is missed. build/bench/bench.json has every round.`);
  if (all.waiting) {
    const svg = await draw(all.waiting, clients);
    await writeFile(join(folder, 'bench.svg'), svg);
    if (flags.write) {
      await writeTables(lines, all, svg, { machine, date, rounds, clients });
      await profileAll(load, clients, { machine, date }, signal);
    }
  }
  return 0;
});

/** Tells where the processor time and the memory go, and writes it into the README where it is told what to write beside it. */
async function profileAll(
  load: Workload[],
  clients: number,
  about: { machine: string; date: string } | null,
  signal: AbortSignal,
): Promise<void> {
  say('\nprofile');
  const told = await profile(
    load.map(({ name }) => name),
    clients,
    say,
    signal,
  );
  say('  what a client holds');
  const held = await heap(signal);
  say(`\n${told}\n\n${held}`);
  if (about) await writeProfile(told, held, about);
}

/** This server is always measured, and the floor, which the others are compared with. */
function isWanted(name: Name, beside: string[]): boolean {
  return beside.length === 0 || !['fastify', 'hono', 'nchan'].includes(name) || beside.includes(name);
}

/** The same workload, measured also with those in `beside` that are this server without a part. */
function withParts(workload: Workload, beside: string[]): Workload {
  const parts = partsOfBill.filter((name) => beside.includes(name));
  const { rows, servers } = workload;
  return rows.length > 0 && servers.includes('floor') ? { ...workload, servers: [...servers, ...parts] } : workload;
}

/** Installs what is missing to measure a workload; says what is missing still, and how to get it. */
async function missingServers(load: Workload[], beside: string[], signal: AbortSignal): Promise<Name[]> {
  const asked = (name: Name) => isWanted(name, beside) && load.some(({ servers }) => servers.includes(name));
  const missing: Name[] = [];
  if (asked('nchan') && !hasNchan()) {
    missing.push('nchan');
    say('nginx with nchan is not installed: not measured. On Debian: apt install libnginx-mod-nchan');
  }
  if (asked('fastify') || asked('hono')) {
    await installFrameworks(signal).catch((error) => {
      if (!(error instanceof Problem)) throw error;
      missing.push('fastify', 'hono');
      say(`Fastify and Hono are not measured. ${error.message}`);
    });
  }
  return missing;
}

/** Measures workloads one after the other, of each the servers that are left. */
async function measureAll(
  load: Workload[],
  left: (name: Name) => boolean,
  options: { rounds: number; clients: number; signal: AbortSignal },
): Promise<Record<string, Measured>> {
  pinClient();
  const all: Record<string, Measured> = {};
  for (const [n, workload] of load.entries()) {
    say(`\n${workload.name}: ${workload.about} (${n + 1} of ${load.length})`);
    all[workload.name] = await measure(workload, workload.servers.filter(left), { ...options, say });
  }
  return all;
}

/** Two rounds of this server and the floor, compared with the committed table. Returns the exit code. */
async function gate(load: Workload[], clients: number, signal: AbortSignal): Promise<0 | 1> {
  const committed = await readCommitted(clients);
  say(`The committed table: ${committed.date.slice(0, 10)}, ${committed.machine}`);
  const beside = load.filter(({ rows, servers }) => rows.length > 0 && servers.includes('floor'));
  if (beside.length === 0) throw new Problem('--gate expects a workload that is measured beside the floor, got none.');
  const all = await measureAll(beside, (name) => name === 'ours' || name === 'floor', { rounds: 2, clients, signal });
  const lines = beside.flatMap((workload) => gateLines(workload, all[workload.name]!));
  const worse = regressions(lines, committed);
  if (worse.length === 0) say(`\nNo ratio of ${lines.length} is worse than the committed table by more than 15 %.`);
  else say(`\nWorse than the committed table by more than 15 %:\n${worse.map((line) => `  ${line}`).join('\n')}`);
  return worse.length === 0 ? 0 : 1;
}

/** Runs one of the repository's other benches, and shows its output. */
async function script(
  name: keyof typeof otherBenches,
  file: string,
  args: string[],
  signal: AbortSignal,
): Promise<void> {
  say(`\n${name}: ${otherBenches[name]}`);
  // The script's temporary files go into this process's folder, which is removed even if a second Ctrl-C kills both processes.
  const folder = temporaryFolder('polling-lab-bench-');
  const options = { cwd: checkout, env: { TMPDIR: folder.path }, shown: true, signal };
  const { exitCode } = await run(typescript(join(checkout, file), args), options).finally(folder.remove);
  if (exitCode !== 0) throw new Problem(`${file} failed.`, { exitCode: 1 });
}
