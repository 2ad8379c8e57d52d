// What several servers on one engine cost, beside one server on SQLite: an event, its way to a client, a poll.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { cpuUs, idle } from '../bench/accounting.js';
import { Connection, get, post, Stream } from '../bench/load-client.js';
import { median } from '../bench/median.js';
import { markdown } from '../bench/tables.js';
import { put, readme } from '../bench/write-readme.js';
import { runCommand } from '../shared/command.mjs';
import { findEngine } from '../shared/find-program.mjs';
import { readFlags } from '../shared/flags.mjs';
import { launchServer, serverCommand } from '../shared/launch-server.js';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { temporaryFolder } from '../shared/temporary-folder.mjs';
import { changed, engineMutations } from '../soak/engine-sabotage.js';
import { borrowedCheckout } from '../test/borrow.js';
import { Cluster } from './cluster.js';
import { type EngineProcess, NO_ENGINE, startEngine } from './engine.js';

const COMMAND = {
  call: 'npx tsx scripts/cluster/bench.ts',
  about: 'Measures what an event and a poll cost with SQLite, with one server on an engine, and with three.',
  flags: {
    rounds: { value: 'N', whole: [1, 100], default: '3', about: 'how often each is measured (3)' },
    write: { about: 'writes the table into scripts/bench/README.md' },
  },
} as const;

const JOBS = 40;
const STEPS = 50;
/** Each job has the events `queued`, `started` and `succeeded`, too. */
const EVENTS = JOBS * (STEPS + 3);
const NEWS = 200;
const POLLERS = 50;
const POLLING_MS = 2_000;
/** How long a measurement may take in all, in milliseconds; it takes some ten seconds. */
const MEASURE_MS = 120_000;

/** Servers that run, and the processes whose time counts: theirs and the engine's. */
interface Setup {
  ports: number[];
  pids: number[];
  stop(): Promise<void>;
}

type Figure = 'event' | 'median' | 'p99' | 'polls' | 'poll';
type Figures = Record<Figure, number>;

const SETUPS = {
  SQLite: () => onSqlite(),
  'one server on the engine': () => onEngine(1, checkout),
  'three servers': () => onEngine(3, checkout),
  'one, without the read index': (blind: string) => onEngine(1, blind),
} satisfies Record<string, (blind: string) => Promise<Setup>>;
type Name = keyof typeof SETUPS;

const ROWS: [text: string, figure: Figure, unit: string][] = [
  ['CPU of an event, servers and engine', 'event', 'µs'],
  ['from a change to a client of the last server, median', 'median', 'ms'],
  ['the same, 99 of 100', 'p99', 'ms'],
  ['polls a second', 'polls', ''],
  ['CPU of a poll, servers and engine', 'poll', 'µs'],
];

await runCommand(async (signal) => {
  const { rounds, write } = readFlags(COMMAND);
  if (!findEngine(pathsOf(checkout))) throw new Problem(`This bench needs an engine: ${NO_ENGINE}.`);
  const [load = 0] = loadavg(); // before the bench adds its own
  const names = Object.keys(SETUPS) as Name[];
  const measured: Record<string, Figures[]> = Object.fromEntries(names.map((name) => [name, []]));
  const readIndex = engineMutations.find(({ name }) => name.includes('the read index'));
  if (!readIndex) throw new Error("No mutation of the engine's code takes out the read index.");
  const blind = borrowedCheckout();
  try {
    const { path, text } = changed(blind.root, readIndex);
    writeFileSync(path, text);
    for (let round = 0; round < rounds; round++) {
      // Another one first in each round, so that other load on the machine falls on all of them.
      for (let n = 0; n < names.length; n++) {
        signal.throwIfAborted();
        const name = names[(n + round) % names.length]!;
        const setup = await SETUPS[name](blind.root);
        const until = AbortSignal.any([signal, AbortSignal.timeout(MEASURE_MS)]);
        try {
          const figures = await Promise.race([measure(setup), abortOf(until, name)]);
          measured[name]!.push(figures);
          const told = Object.entries(figures).map(([figure, value]) => `${figure} ${value.toFixed(2)}`);
          process.stdout.write(`  round ${round + 1}, ${name}: ${told.join(', ')}\n`);
        } finally {
          await setup.stop();
        }
      }
    }
  } finally {
    blind.remove();
  }
  const rows = ROWS.map(([text, figure, unit]) => [
    text,
    ...names.map((name) => {
      const value = median(measured[name]!.map((figures) => figures[figure]));
      return `${value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)} ${unit}`.trim();
    }),
  ]);
  const table = markdown(['', ...names], 1, rows);
  process.stdout.write(`\n${table}\n`);
  if (!write) return 0;
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Node ${process.versions.node}`;
  const date = new Date().toISOString().slice(0, 10);
  await put(
    readme,
    'cluster',
    `${table}\n\n${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`} on ${date}: ${machine}, client, servers and engine on the same cores; ${busy(load)}.`,
  );
  return 0;
});

/** Rejects when a measurement must end: the bench was stopped, or something that it waits for has not come. */
function abortOf(until: AbortSignal, name: string): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => {
      const late = (until.reason as Error).name === 'TimeoutError';
      const what = `The measurement of ${name} did not end within ${MEASURE_MS / 1_000} s.`;
      reject(late ? new Problem(what, { exitCode: 1 }) : until.reason);
    };
    if (until.aborted) end();
    else until.addEventListener('abort', end, { once: true });
  });
}

/** How busy the machine was before the bench. On a busy one, only processor time means anything, and that little. */
function busy(load: number): string {
  if (load < cpus().length / 2) return 'the machine did little else';
  return `the machine was busy (load average ${load.toFixed(0)}), so that times and rates say little, and processor time somewhat`;
}

async function onSqlite(): Promise<Setup> {
  const data = temporaryFolder('polling-lab-bench-');
  const server = launchServer(serverCommand(checkout, ['--data', data.path]), { cwd: checkout });
  const stop = async () => {
    await server.stop();
    data.remove();
  };
  const url = await server.ready.catch(async (error) => {
    await stop();
    throw error;
  });
  return { ports: [Number(new URL(url).port)], pids: [server.process.pid as number], stop };
}

async function onEngine(servers: number, root: string): Promise<Setup> {
  const { path: folder, remove } = temporaryFolder('polling-lab-bench-');
  let engine: EngineProcess | undefined;
  let cluster: Cluster | undefined;
  const stop = async () => {
    await cluster?.stop();
    await engine?.stop();
    remove();
  };
  try {
    engine = await startEngine(findEngine(pathsOf(checkout)) as string, join(folder, 'engine'));
    const client = new Redis(engine.port);
    const pid = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
    client.disconnect();
    cluster = await Cluster.start({ root, servers, folder, engine: engine.url });
    const ports = cluster.servers.map(({ url }) => Number(new URL(url).port));
    return { ports, pids: [pid, ...cluster.servers.map((server) => server.pid as number)], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function measure({ ports, pids }: Setup): Promise<Figures> {
  const connections = await Promise.all(ports.map((port) => Connection.open(port)));
  const event = await eventUs(ports, pids, connections);
  const { median, p99 } = await newsMs(ports, connections[0]!);
  const { polls, poll } = await pollRate(ports, pids, connections[0]!);
  for (const connection of connections) connection.close();
  return { event, median, p99, polls, poll };
}

/** Processor time of an event, in µs: jobs of two seconds, spread over the servers, and at each a reader of all events. */
async function eventUs(ports: number[], pids: number[], connections: Connection[]): Promise<number> {
  const read = ports.map(() => 0);
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const streams = await Promise.all(
    ports.map((port, n) =>
      Stream.open(port, '/events', () => {
        read[n]!++;
        if (read.every((count) => count > EVENTS)) done(); // with the event `position`
      }),
    ),
  );
  await idle(pids);
  const before = await cpuUs(pids);
  const job = post('/jobs', { kind: 'simulated', durationMs: 2_000, steps: STEPS });
  await Promise.all(Array.from({ length: JOBS }, (_, n) => connections[n % connections.length]!.send(job)));
  await all;
  const after = await cpuUs(pids);
  for (const stream of streams) stream.close();
  return (after - before) / EVENTS;
}

async function manual(connection: Connection): Promise<string> {
  const { body } = await connection.send(post('/jobs', { kind: 'manual' }));
  return (JSON.parse(body) as { jobId: string }).jobId;
}

/** The time from a change, made at the first server, to its event at a client of the last one, in milliseconds. */
async function newsMs(ports: number[], connection: Connection): Promise<{ median: number; p99: number }> {
  const jobId = await manual(connection);
  let heard = () => {};
  const stream = await Stream.open(ports.at(-1)!, `/jobs/${jobId}/events`, () => heard());
  const times: number[] = [];
  for (let n = 1; n <= NEWS; n++) {
    const news = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const began = performance.now();
    const answer = connection.send(post(`/jobs/${jobId}/progress`, { progress: n / NEWS }));
    const heardIn = news.then(() => times.push(performance.now() - began));
    await Promise.all([heardIn, answer]);
  }
  stream.close();
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(NEWS / 2)]!, p99: times[Math.floor(NEWS * 0.99)]! };
}

/** Short polls on keep-alive connections, each as soon as the one before is answered. */
async function pollRate(
  ports: number[],
  pids: number[],
  connection: Connection,
): Promise<{ polls: number; poll: number }> {
  const request = get(`/jobs/${await manual(connection)}`);
  const pollers = await Promise.all(
    Array.from({ length: POLLERS }, (_, n) => Connection.open(ports[n % ports.length]!)),
  );
  let [answered, over] = [0, false];
  const polling = pollers.map(async (poller) => {
    while (!over) {
      const { status } = await poller.send(request);
      if (status !== 200) throw new Error(`a poll was answered with ${status}`);
      answered++;
    }
  });
  const allPolled = Promise.all(polling);
  allPolled.catch(() => {}); // it is awaited below, and may reject before
  await pause(POLLING_MS / 4); // until the code is compiled
  const [began, before, first] = [performance.now(), await cpuUs(pids), answered];
  await pause(POLLING_MS);
  const [took, used, count] = [performance.now() - began, (await cpuUs(pids)) - before, answered - first];
  over = true;
  await allPolled;
  for (const poller of pollers) poller.close();
  return { polls: (1000 * count) / took, poll: used / count };
}
