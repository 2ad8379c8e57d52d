import { Problem } from '../shared/problem.mjs';
import { otherThreadsUs } from './accounting.js';
import { type Name, type Profile, type Server, startServer } from './measured-servers.js';
import { inTime } from './rounds.js';
import { markdown } from './tables.js';
import { PROFILED } from './workloads.js';

/** The part of the threads that the profiler does not see. The scheduler counts their time. */
const OTHER_THREADS = 'other threads (which collect garbage and compile)';

/** What ran, by the function that was on top. The first that fits counts. Functions without a URL are native. */
const PARTS: [part: string, fits: (name: string, url: string) => boolean][] = [
  ['', (name) => name === '(idle)'],
  ['garbage collection', (name) => name === '(garbage collector)'],
  [OTHER_THREADS, () => false], // not in the profile, which is of one thread
  ['the durable store', (name, url) => /node_modules\/@?libsql|server\/edge\/store\//.test(url) || name === 'crc32'],
  ['the ledger', (_, url) => /server\/edge\/(ledger|http\/bytes)/.test(url)],
  ['the limits', (_, url) => /server\/edge\/http\/(lifetime|guard|small-set)/.test(url)],
  ['the log, waiting and delivery', (_, url) => /server\/core\/(log\/|waiting)/.test(url)],
  [
    'routes, techniques, jobs, checks of what is sent',
    (_, url) => /server\/|node_modules\/|scripts\/bench\//.test(url),
  ],
  ["Node's HTTP, sockets and timers", (_, url) => url !== ''],
  ['system calls, and other native code', () => true],
];

/** Who is profiled: the bare server, this one without all parts of the bill, and as it is. */
const SERVERS: [name: Name, column: string][] = [
  ['floor', 'bare node:http'],
  ['none-of-these', 'without these'],
  ['ours', 'ours'],
];

/** How many rounds warm the servers up, and how many are profiled. */
const WARM_ROUNDS = 3;
const ROUNDS = 3;

/** When a server did `count` operations: from and to, in microseconds by the clock of its profile; and how long its other threads ran. */
export interface Span {
  operation: string;
  count: number;
  from: number;
  to: number;
  otherThreadsUs: number;
}

/** For each operation, how many times it was done, and the microseconds that each part ran. */
export type Times = Map<string, { count: number; parts: number[] }>;

/** Makes a server record when each operation begins and ends. Returns the list, which grows. */
function watch(server: Server): Span[] {
  const spans: Span[] = [];
  server.watch = async (operation, count, work) => {
    const before = await otherThreadsUs(server.pids);
    const from = await server.ask('now');
    await work();
    const to = await server.ask('now');
    spans.push({ operation, count, from, to, otherThreadsUs: (await otherThreadsUs(server.pids)) - before });
  };
  return spans;
}

/** What ran in these spans of time. Exported for its test. */
export function timesOf({ nodes, samples, startTime, timeDeltas }: Profile, spans: Span[]): Times {
  const partOf = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => [
      id,
      PARTS.findIndex(([, fits]) => fits(functionName, url)),
    ]),
  );
  const times: Times = new Map();
  for (const { operation, count, otherThreadsUs } of spans) {
    const { count: before, parts } = times.get(operation) ?? { count: 0, parts: PARTS.map(() => 0) };
    parts[PARTS.findIndex(([part]) => part === OTHER_THREADS)]! += otherThreadsUs;
    times.set(operation, { count: before + count, parts });
  }
  let at = startTime;
  let next = 0;
  for (const [i, id] of samples.entries()) {
    at += timeDeltas[i]!;
    while (next < spans.length && spans[next]!.to < at) next += 1;
    const span = spans[next];
    if (span && span.from <= at) times.get(span.operation)!.parts[partOf.get(id)!]! += timeDeltas[i]!;
  }
  return times;
}

/**
 * Where the processor time of each operation goes, beside the bare server: a table in Markdown. For each workload the servers are
 * started anew, as for the other tables, since what V8 compiles depends on all that a server has done. They take turns, and are warm.
 *
 * @param load - the names of the workloads whose operations are profiled.
 * @param clients - how many clients those have.
 * @param signal - stops it, and its servers.
 */
export async function profile(
  load: string[],
  clients: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const steps = Object.entries(PROFILED).filter(([name]) => load.includes(name));
  if (steps.length === 0)
    throw new Problem(`--profile works with ${Object.keys(PROFILED).join(', ')}. Got ${load.join(', ')}.`);
  const tables: string[][] = [];
  for (const [name, step] of steps) {
    const begun = () => say(`  ${name}`);
    tables.push(...rowsOf(await profileStep(name, (server) => step(server, clients), begun, signal)));
  }
  return markdown(['', 'what ran (µs for each)', ...SERVERS.map(([, column]) => column)], 2, tables);
}

/** Starts the servers, which take turns to do this step, and returns what ran in each of them. */
async function profileStep(
  name: string,
  step: (server: Server) => Promise<unknown>,
  begun: () => void,
  signal: AbortSignal,
): Promise<Times[]> {
  const running: Server[] = [];
  try {
    for (const [server] of SERVERS) running.push(await startServer(server, signal, true));
    // Before the warm-up, because V8 takes a while to start a profile.
    for (const server of running) await server.ask('startProfile');
    begun();
    let spans: Span[][] = [];
    for (let round = -WARM_ROUNDS; round < ROUNDS; round++) {
      if (round === 0) spans = running.map(watch);
      for (const server of running) await inTime(step(server), name, signal);
    }
    const profiles = await Promise.all(running.map((server) => server.ask('stopProfile')));
    return profiles.map((one, n) => timesOf(one, spans[n]!));
  } catch (error) {
    signal.throwIfAborted(); // the servers were stopped, and their clients failed because of that
    throw error;
  } finally {
    await Promise.all(running.map((server) => server.stop()));
  }
}

/** Exported for its test. */
export function rowsOf(times: Times[]): string[][] {
  return [...times[0]!.keys()].flatMap((operation) => {
    const of = times.map((server) => server.get(operation)!);
    const cells = (us: (parts: number[]) => number) => of.map(({ count, parts }) => (us(parts) / count).toFixed(1));
    const parts = PARTS.flatMap(([part], n) => (part === '' ? [] : [[operation, part, ...cells((us) => us[n]!)]]));
    const idle = PARTS.findIndex(([part]) => part === '');
    const sum = (us: number[]) => us.reduce((all, one, n) => (n === idle ? all : all + one), 0);
    return [...parts, [operation, '**all**', ...cells(sum)]];
  });
}
