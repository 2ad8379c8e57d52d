// `npm run bench`: what waiting costs, measured beside the least that it could.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { hasNchan, pinClient, pinned } from './bench/measured-servers.js';
import { measureStart } from './bench/npm-start.js';
import { profile } from './bench/profile.js';
import { type Line, linesOf, type Measured, measure, table } from './bench/rounds.js';
import { workloads } from './bench/workloads.js';
import { draw, writeProfile, writeReadme } from './bench/write-readme.js';
import { commands, otherBenches } from './commands.mjs';
import { setUp } from './setup/set-up.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { typescript } from './shared/launch-server.js';
import { checkout } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';
import { run } from './shared/run.js';

const folder = join(checkout, 'build', 'bench');
const say = (line: string) => process.stdout.write(`${line}\n`);

await runCommand(async (signal) => {
  const { only, rounds, clients, ...flags } = readFlags(commands.bench);
  const wanted = (name: string) => only.length === 0 || only.includes(name);
  const load = workloads(clients).filter(({ name }) => wanted('server') || wanted(name));
  if (flags.write && !wanted('server')) throw new Problem('--write is for all workloads: use --only server, or none.');
  if (!existsSync('/proc/self/smaps_rollup'))
    throw new Problem('npm run bench reads processor time and memory from /proc: it needs Linux, 4.14 or newer.');

  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Node ${process.versions.node}`;
  say(machine);

  // These first: once this process is pinned to a core, so is what it starts.
  if (Object.keys(otherBenches).some(wanted)) await setUp({ signal });
  if (wanted('start')) {
    say(`\nstart: ${otherBenches.start}`);
    await measureStart(rounds, signal, say);
  }
  if (wanted('kernel')) await script('kernel', 'scripts/kernel/bench.ts', ['--rounds', String(rounds)], signal);
  if (wanted('course')) await script('course', 'scripts/runner/bench.ts', [], signal);

  const nchan = hasNchan();
  if (!nchan) say('nginx with nchan is not installed: not measured. On Debian: apt install libnginx-mod-nchan');
  if (!pinned) say('One core, or no taskset: server and client share what there is, and times say little.');
  pinClient();
  if (flags.profile) {
    say('\nprofile');
    const told = await profile(load, clients, say);
    say(`\n${told}`);
    if (flags.write) await writeProfile(told, { machine, date: new Date().toISOString() });
    return 0;
  }
  const lines: Line[] = [];
  const all: Record<string, Measured> = {};
  for (const workload of load) {
    say(`\n${workload.name}: ${workload.about}`);
    const servers = workload.servers.filter((name) => name !== 'nchan' || nchan);
    const measured = await measure(workload, servers, { rounds, clients, signal, say });
    all[workload.name] = measured;
    lines.push(...linesOf(workload, measured));
  }
  if (lines.length === 0) return 0;
  const date = new Date().toISOString();
  await mkdir(folder, { recursive: true });
  const result = { date, machine, rounds, clients, pinned, lines, measured: all };
  await writeFile(join(folder, 'bench.json'), `${JSON.stringify(result, null, 2)}\n`);
  say(`\n${table(lines)}\n\n✗: the aim is missed. build/bench/bench.json has every round.`);
  if (all.waiting) {
    const svg = await draw(all.waiting, clients);
    await writeFile(join(folder, 'bench.svg'), svg);
    if (flags.write) await writeReadme(lines, svg, { machine, date, rounds });
  }
  return 0;
});

/** Runs one of the repository's other benches, and shows its output. */
async function script(
  name: keyof typeof otherBenches,
  file: string,
  args: string[],
  signal: AbortSignal,
): Promise<void> {
  say(`\n${name}: ${otherBenches[name]}`);
  const { exitCode } = await run(typescript(join(checkout, file), args), { cwd: checkout, shown: true, signal });
  if (exitCode !== 0) throw new Problem(`${file} failed.`, { exitCode: 1 });
}
