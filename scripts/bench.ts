// `npm run bench`: what waiting costs, measured beside the least that it could.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { type Line, linesOf, measure, table } from './bench/run.js';
import { hasNchan, pinClient, pinned } from './bench/servers.js';
import { workloads } from './bench/workloads.js';
import { checkout } from './setup/paths.mjs';
import { readFlags } from './shared/flags.mjs';
import { Problem } from './shared/problem.mjs';
import { whole } from './shared/whole.mjs';

const all = workloads(10_000);
const HELP = `npm run bench -- [flags]

Measures what waiting costs this server: processor time for each operation and memory for each waiting client,
as Linux accounts for them. In the same run, in turns, the floor (bare node:http, scripts/bench/floor.ts) and, where
nginx with nchan is installed, nchan.

${all.map(({ name, about }) => `  ${name.padEnd(15)} ${about}`).join('\n')}

  --only NAME    one of these alone (may be repeated)
  --rounds N     how often each is measured (default 3); the medians are told
  --clients N    how many clients 10,000 are (default 10000)
  -h, --help

Writes build/bench/bench.json. BENCH_NODE=--cpu-prof (or other flags of Node's) has the servers write profiles.
Exit code: 0 if all was measured, whether or not the aims were met.
`;

const folder = join(checkout, 'build', 'bench');
const say = (line: string) => process.stdout.write(`${line}\n`);

await whole(async (signal) => {
  const flags = readFlags(HELP, {
    only: { type: 'string', multiple: true, default: [] as string[] },
    rounds: { type: 'string', default: '3' },
    clients: { type: 'string', default: '10000' },
  });
  const only = flags.only as string[];
  const unknown = only.find((name) => !all.some((one) => one.name === name));
  if (unknown) throw new Problem(`--only expects one of ${all.map(({ name }) => name).join(', ')}, got "${unknown}".`);
  const rounds = count('--rounds', flags.rounds as string, 1, 100);
  const clients = count('--clients', flags.clients as string, 100, 19_000);
  if (!existsSync('/proc/self/smaps_rollup'))
    throw new Problem('npm run bench reads processor time and memory from /proc: it needs Linux, 4.14 or newer.');

  const nchan = hasNchan();
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Node ${process.versions.node}`;
  say(machine);
  if (!nchan) say('nginx with nchan is not installed: not measured. On Debian: apt install libnginx-mod-nchan');
  if (!pinned) say('One core, or no taskset: server and client share what there is, and times say little.');
  pinClient();

  const lines: Line[] = [];
  const raw: Record<string, unknown> = {};
  for (const workload of workloads(clients)) {
    if (only.length && !only.includes(workload.name)) continue;
    say(`\n${workload.name}: ${workload.about}`);
    const servers = workload.servers.filter((name) => name !== 'nchan' || nchan);
    const measured = await measure(workload, servers, { rounds, clients, signal, say });
    raw[workload.name] = measured;
    lines.push(...linesOf(workload, measured));
  }
  const result = { date: new Date().toISOString(), machine, rounds, clients, pinned, lines, measured: raw };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'bench.json'), `${JSON.stringify(result, null, 2)}\n`);
  say(`\n${table(lines)}\n\n✗: the aim is missed. build/bench/bench.json has every round.`);
  return 0;
});

function count(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Problem(`${flag} expects a whole number from ${min} to ${max}, got "${text}".`);
}
