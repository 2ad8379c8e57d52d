import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Name, startServer } from './measured-servers.js';
import { type Workload, workloads } from './workloads.js';

/** A profile as V8 writes it (Chrome DevTools Protocol, Profiler.Profile): what ran at each sample, and for how long. */
interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  /** Microseconds since the sample before. */
  timeDeltas: number[];
}

/** What runs while a program starts: modules are loaded, and libsql reads a report of Node's to learn its C library. */
const STARTING = /^node:internal\/(modules|bootstrap|vm|process\/report)|node_modules\/(tsx|ioredis|detect-libc)/;

/** What ran, by the function that was on top. The first that fits counts. */
const PARTS: [part: string, fits: (name: string, url: string) => boolean][] = [
  ['', (name, url) => name === '(idle)' || STARTING.test(url)],
  ['garbage collection', (name) => name === '(garbage collector)'],
  ['the durable log', (_, url) => /node_modules\/@?libsql|server\/edge\/store\//.test(url)],
  ['the ledger', (_, url) => url.includes('server/edge/ledger')],
  ['waiting and delivery', (_, url) => /server\/core\/(log\/|waiting)/.test(url)],
  ['routes, jobs, checks of what is sent', (_, url) => /server\/|node_modules\/|scripts\/bench\//.test(url)],
  ["sockets, Node's HTTP and streams", () => true],
];

/** Of each part, the milliseconds that a server of this name had it running while a workload was measured. */
async function timesOf(workload: Workload, name: Name, clients: number): Promise<Map<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'polling-lab-bench-'));
  const before = process.env.BENCH_NODE;
  process.env.BENCH_NODE = `--cpu-prof --cpu-prof-dir=${folder}`;
  try {
    const server = await startServer(name);
    try {
      await workload.measure(server, clients);
    } finally {
      await server.stop();
    }
    // A file for each thread; tsx has one of its own.
    const files = (await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8'));
    const all = (await Promise.all(files)).map((text) => partsOf(JSON.parse(text) as Profile));
    const total = (times: Map<string, number>) => [...times.values()].reduce((sum, ms) => sum + ms, 0);
    return all.sort((a, b) => total(b) - total(a))[0] ?? new Map();
  } finally {
    if (before === undefined) delete process.env.BENCH_NODE;
    else process.env.BENCH_NODE = before;
    await rm(folder, { recursive: true, force: true });
  }
}

/** Exported for its test. */
export function partsOf({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const partOf = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => {
      return [id, PARTS.find(([, fits]) => fits(functionName, url))![0]];
    }),
  );
  const times = new Map(PARTS.filter(([part]) => part).map(([part]) => [part, 0]));
  for (const [i, id] of samples.entries()) {
    const part = partOf.get(id)!;
    if (part) times.set(part, times.get(part)! + timeDeltas[i]! / 1_000);
  }
  return times;
}

/** Where the processor time goes, ours beside the floor's, with half of the clients: a table in Markdown. */
export async function profile(load: Workload[], all: number, say: (line: string) => void): Promise<string> {
  const clients = Math.ceil(all / 2);
  const rows: string[] = [];
  for (const { name } of load.filter(({ rows, servers }) => rows.length > 0 && servers.includes('floor'))) {
    const workload = workloads(clients).find((one) => one.name === name)!;
    say(`  ${name}`);
    const ours = await timesOf(workload, 'ours', clients);
    const floor = await timesOf(workload, 'floor', clients);
    for (const [n, part] of [...ours.keys()].entries()) {
      const cells = [n === 0 ? workload.about : '', part, ...[ours, floor].map((times) => times.get(part)!.toFixed(0))];
      rows.push(`| ${cells.join(' | ')} |`);
    }
  }
  return ['| workload | what ran | ours (ms) | floor (ms) |', '| --- | --- | --: | --: |', ...rows].join('\n');
}
