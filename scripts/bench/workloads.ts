import { setTimeout as sleep } from 'node:timers/promises';
import { withClients, workloadNames } from '../commands.mjs';
import { cpuUs, idle, pssKiB } from './accounting.js';
import { Connection, get, inTurns, Stream } from './load-client.js';
import { type Name, type Server, WITHOUT } from './measured-servers.js';

/** What one run of a workload came to. */
export type Figures = Record<string, number>;

/** A figure of ours beside another one. */
export interface Row {
  what: string;
  unit: 'µs' | 'KiB' | 'ms' | '/s' | '';
  /** A key of the figures. */
  figure: string;
  /** What it is compared with: the same figure of the floor, or another figure of ours. Null: with nothing. */
  against: { server: 'floor' | 'ours'; figure?: string; name?: string } | null;
  /** The most that the ratio should be; without something to compare with, the figure. */
  aim: number;
  /** Whether more of it is better: the aim is then the least that the ratio should be. */
  more?: boolean;
}

export interface Workload {
  name: string;
  about: string;
  servers: Name[];
  rows: Row[];
  measure(server: Server, clients: number): Promise<Figures>;
  /**
   * The same in steps, for a workload whose servers all run at once and take turns: each server does a step before any does the
   * next one. What differs little is seen this way: the servers are warm, and one step follows the other within seconds.
   */
  steps?: Step[];
}

type Step = (server: Server, clients: number) => Promise<Figures>;

const FLOOR = { server: 'floor' } as const;
/** The servers of a workload that all of them can do. */
const ALL: Name[] = ['ours', 'floor', 'fastify', 'hono', 'nchan'];
const PREFER = 'Prefer: wait=60\r\n';

/** Processor time, in microseconds, that a server spends on each of so many operations. */
async function spent(server: Server, operation: string, count: number, work: () => Promise<unknown>): Promise<number> {
  const before = await cpuUs(server.pids);
  const done = async () => {
    await work();
    await idle(server.pids);
  };
  await (server.watch ? server.watch(operation, count, done) : done());
  return ((await cpuUs(server.pids)) - before) / count;
}

/** Whether a run of a workload measures memory. If it does, its times are not used. */
type Weigh = 'memory' | 'no memory';

/**
 * Memory in use, in KiB; without 'memory', waits only until the server is idle, and returns NaN. A forced garbage collection also
 * discards compiled code, which makes what follows dearer: a run is measured for its time or for its memory.
 */
async function used(server: Server, weigh: Weigh): Promise<number> {
  await idle(server.pids);
  if (weigh === 'no memory') return NaN;
  await server.collect();
  await idle(server.pids);
  return pssKiB(server.pids);
}

// ── Short polls ──

/** So many short polls on so many connections; returns processor time for each, in microseconds. */
async function shortPolls(server: Server, connections: number, requests: number): Promise<number> {
  const job = await server.submit();
  await server.tell(server.progress(job, 0.5));
  const open = await inTurns(connections, () => Connection.open(server.port));
  const request = get(server.paths.status(job));
  const poll = (count: number) =>
    Promise.all(
      open.map(async (connection) => {
        for (let n = 0; n < count / connections; n++) await connection.send(request);
      }),
    );
  await poll(requests / 4);
  const us = await spent(server, 'a short poll', requests, () => poll(requests));
  for (const connection of open) connection.close();
  await server.tell(server.finish(job));
  return us;
}

// ── Long polls ──

/** Clients that long-poll, each on the job of its number, and what it costs until all have their answers. */
async function longPolls(
  server: Server,
  clients: number,
  jobs: string[],
  weigh: Weigh = 'no memory',
): Promise<Figures> {
  const before = await used(server, weigh);
  const open: Connection[] = [];
  const answers: Promise<unknown>[] = [];
  const arriving = await spent(server, 'to open a long poll', clients, async () => {
    open.push(...(await inTurns(clients, () => Connection.open(server.port))));
    for (const [n, connection] of open.entries()) {
      const job = jobs[n % jobs.length] as string;
      answers.push(connection.send(get(server.paths.longPoll(job), PREFER)));
      if (n % 100 === 99) await sleep(0); // gives the client's own sockets a turn
    }
  });
  const during = await used(server, weigh);
  let began = 0;
  let last = 0;
  const answer = jobs.length > 1 ? "a job's end and its answer" : 'an answer of a fan-out';
  const answering = await spent(server, answer, clients, async () => {
    began = performance.now();
    const all = Promise.all(answers).then(() => {
      last = performance.now();
    });
    await server.tell(...jobs.map((job) => server.finish(job)));
    await all;
  });
  for (const connection of open) connection.close();
  return {
    arriving,
    answering,
    kib: (during - before) / clients,
    ms: last - began,
    perSecond: (1000 * clients) / (last - began),
  };
}

/** Clients that long-poll, each on a job of its own: what it costs from the submits to the answers. */
async function longPollsEach(server: Server, clients: number, weigh: Weigh = 'no memory'): Promise<Figures> {
  const before = await used(server, weigh);
  let made: string[] = [];
  const submitting = await spent(server, 'a submit', clients, async () => {
    made = await server.submitMany(clients);
  });
  const held = (await used(server, weigh)) - before;
  const polls = await longPolls(server, clients, made, weigh);
  const { arriving = 0, answering = 0, kib = 0 } = polls;
  return { ...polls, submitting, us: submitting + arriving + answering, kib: kib + held / clients };
}

// ── Streams ──

/** Readers of one job's stream, and how many events they have received, all together. */
class Audience {
  received = 0;
  streams: Stream[] = [];
  onEvent = () => {};
  private wanted = 0;
  private reached = () => {};

  constructor(
    readonly server: Server,
    readonly job: string,
  ) {}

  /** Readers of a new job. */
  static async of(server: Server, readers: number): Promise<Audience> {
    const audience = new Audience(server, await server.submit());
    await audience.join(readers);
    return audience;
  }

  async join(count: number): Promise<void> {
    this.streams = await inTurns(count, async () => {
      const stream = await this.connected();
      await this.ask(stream);
      return stream;
    });
  }

  /** Opens connections, on which `begin` asks for the stream. */
  async connect(count: number): Promise<void> {
    this.streams = await inTurns(count, () => this.connected());
  }

  async begin(): Promise<void> {
    await inTurns(this.streams.length, (n) => this.ask(this.streams[n]!));
  }

  private connected(): Promise<Stream> {
    return Stream.connect(this.server.port, () => {
      this.received += 1;
      this.onEvent();
      if (this.received === this.wanted) this.reached();
    });
  }

  private ask(stream: Stream): Promise<void> {
    return stream.begin(this.server.paths.stream(this.job));
  }

  /** Tells so many more events in one piece; resolves when everyone has received all of them. */
  async told(from: number, count: number, of: number): Promise<void> {
    const all = new Promise<void>((resolve) => {
      this.reached = resolve;
    });
    this.wanted = this.received + count * this.streams.length;
    const requests = Array.from({ length: count }, (_, n) => this.server.progress(this.job, (from + n + 1) / of));
    await this.server.tell(...requests);
    await all;
  }

  /** Closes the streams, and ends the job: this server takes only so many that are unfinished. */
  async leave(): Promise<void> {
    for (const stream of this.streams) stream.close();
    await this.server.tell(this.server.finish(this.job));
    await idle(this.server.pids);
  }
}

/** Opens streams of a new job and closes them: what it costs to open one stream, and to hold one. */
async function openings(server: Server, readers: number, weigh: Weigh = 'no memory'): Promise<Figures> {
  const audience = new Audience(server, await server.submit());
  const figures = await opened(audience, readers, weigh);
  await audience.leave();
  return figures;
}

/** How many times a server runs a whole workload: first to warm up, then to be measured. */
const WARM_TIMES = 3;
const TIMES = 6;

/**
 * Repeats a workload on one server, and returns the means of the last {@link TIMES} runs: a garbage collection of the whole heap
 * happens during only some of them, but collects the garbage of all. The first runs cost up to twice as much, on any server, because V8 compiles only
 * code that has run often. Memory is that of the first run: later runs reuse memory that earlier ones freed.
 */
async function whenWarm(run: (weigh: Weigh) => Promise<Figures>): Promise<Figures> {
  const first = await run('memory');
  for (let time = 1; time < WARM_TIMES; time++) await run('no memory');
  const all: Figures[] = [];
  while (all.length < TIMES) all.push(await run('no memory'));
  return { ...meansOf(all), kib: first.kib! };
}

/** The mean of each figure. */
const meansOf = (all: Figures[]): Figures =>
  Object.fromEntries(
    Object.keys(all[0]!).map((figure) => [figure, all.reduce((sum, one) => sum + one[figure]!, 0) / all.length]),
  );

const quantile = (values: number[], share: number) =>
  values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;

/** So many readers join: what it costs to open a stream, and to hold one. */
async function opened(audience: Audience, readers: number, weigh: Weigh = 'no memory'): Promise<Figures> {
  const { server } = audience;
  const before = await used(server, weigh);
  const opening = await spent(server, 'to open a stream', readers, () => audience.join(readers));
  return { opening, kib: ((await used(server, weigh)) - before) / readers };
}

/** An audience is told so many events, so many of them in a burst, and leaves. */
async function deliveries(audience: Audience, events: number, burst: number): Promise<Figures> {
  const { server, streams } = audience;
  const readers = streams.length;
  await idle(server.pids); // what came before they did has been received
  const warmUp = Math.max(burst, Math.ceil(events / 10 / burst) * burst);
  const all = warmUp + events;
  for (let at = 0; at < warmUp; at += burst) await audience.told(at, burst, all);
  const lateness: number[] = [];
  let began = 0;
  audience.onEvent = () => lateness.push(performance.now() - began);
  const us = await spent(server, 'a delivery', readers * events, async () => {
    for (let at = warmUp; at < all; at += burst) {
      began = performance.now();
      await audience.told(at, burst, all);
    }
  });
  await audience.leave();
  return { us, p99: quantile(lateness, 0.99) };
}

/** The steps that the bill and the profile measure: one for each of four workloads. */
export const STEPS = {
  'short-poll': async (server) => ({ poll: await shortPolls(server, 50, 20_000) }),
  'long-poll': async (server, clients) => {
    const { arriving, answering, ms } = await longPolls(server, clients, [await server.submit()]);
    return { arriving, answering, ms } as Figures;
  },
  'long-poll-each': async (server, clients) => {
    const { submitting, answering, perSecond } = await longPollsEach(server, clients);
    return { submitting, ending: answering, perSecond } as Figures;
  },
  stream: async (server, clients) => {
    const audience = new Audience(server, await server.submit());
    const { opening } = await opened(audience, clients);
    return { opening, ...(await deliveries(audience, 10, 1)) } as Figures;
  },
} satisfies Record<string, Step>;
/** What the profile measures: the streams that resume, too, which take too long for the bill's eight servers. */
export const PROFILED: Record<string, Step> = {
  ...STEPS,
  resume: (server, clients) => resuming(server, Math.ceil(clients / 10), 100),
};
/** A step of the bill has this share of a workload's clients, and runs `times` times in each round. The table uses the mean. */
const BILL = { share: 0.3, times: 3 };
/** A step of the bill. */
const repeated =
  (step: Step, clients: number): Step =>
  async (server) => {
    const all: Figures[] = [];
    while (all.length < BILL.times) all.push(await step(server, Math.ceil(BILL.share * clients)));
    return meansOf(all);
  };

const many = (n: number) => n.toLocaleString('en');

/** A workload's name, and what it does with so many clients. */
const named = (name: keyof typeof workloadNames, clients: number) => ({
  name,
  about: withClients(workloadNames[name], clients),
});

/** The workloads, for so many clients. */
export const workloads = (clients: number): Workload[] => [
  {
    ...named('short-poll', clients),
    servers: ALL,
    rows: [{ what: 'CPU per request', unit: 'µs', figure: 'us', against: FLOOR, aim: 1.12 }],
    measure: async (server) => ({ us: await shortPolls(server, 50, 40_000) }),
  },
  {
    ...named('long-poll', clients),
    servers: ALL,
    rows: [
      { what: 'CPU to open one', unit: 'µs', figure: 'arriving', against: FLOOR, aim: 1.1 },
      { what: 'CPU per answer', unit: 'µs', figure: 'answering', against: FLOOR, aim: 0.9 },
      { what: 'time to the last answer', unit: 'ms', figure: 'ms', against: FLOOR, aim: 1.05 },
      { what: 'memory per waiter', unit: 'KiB', figure: 'kib', against: FLOOR, aim: 1 },
    ],
    measure: (server) => whenWarm(async (weigh) => longPolls(server, clients, [await server.submit()], weigh)),
  },
  {
    ...named('long-poll-each', clients),
    servers: ALL,
    rows: [
      { what: 'CPU per job, from its end to the answer', unit: 'µs', figure: 'answering', against: FLOOR, aim: 1.5 },
      { what: 'jobs ended and answered', unit: '/s', figure: 'perSecond', against: FLOOR, aim: 0.7, more: true },
      { what: 'CPU per job, from submit to answer', unit: 'µs', figure: 'us', against: FLOOR, aim: 1.3 },
      { what: 'memory per waiter and its job', unit: 'KiB', figure: 'kib', against: FLOOR, aim: 1.15 },
    ],
    measure: (server) => whenWarm((weigh) => longPollsEach(server, clients, weigh)),
  },
  {
    ...named('stream', clients),
    servers: ALL,
    rows: [
      { what: 'CPU per delivery', unit: 'µs', figure: 'us', against: FLOOR, aim: 0.8 },
      { what: 'the 99th of 100 deliveries', unit: 'ms', figure: 'p99', against: FLOOR, aim: 0.85 },
      { what: 'CPU to open one', unit: 'µs', figure: 'opening', against: FLOOR, aim: 1.05 },
      { what: 'memory per stream', unit: 'KiB', figure: 'kib', against: FLOOR, aim: 1 },
      {
        what: `CPU per delivery, against ${many(clients / 10)} streams`,
        unit: 'µs',
        figure: 'us',
        against: { server: 'ours', figure: 'fewer', name: `${many(clients / 10)} streams` },
        aim: 1.2,
      },
    ],
    measure: async (server) => {
      const joined = await whenWarm((weigh) => openings(server, clients, weigh));
      const fewer = await deliveries(await Audience.of(server, clients / 10), 50, 1);
      const delivered = await deliveries(await Audience.of(server, clients), 50, 1);
      return { ...joined, ...delivered, fewer: fewer.us as number };
    },
  },
  {
    ...named('burst', clients),
    servers: ALL,
    rows: [
      { what: `CPU per delivery to ${many(clients)}`, unit: 'µs', figure: 'many', against: FLOOR, aim: 0.1 },
      { what: `CPU per delivery to ${many(clients / 10)}`, unit: 'µs', figure: 'few', against: FLOOR, aim: 0.35 },
    ],
    measure: async (server) => {
      const few = await deliveries(await Audience.of(server, clients / 10), 60, 20);
      const most = await deliveries(await Audience.of(server, clients), 20, 20);
      return { few: few.us as number, many: most.us as number };
    },
  },
  {
    ...named('waiting', clients),
    servers: ['ours'],
    rows: (['long', 'sse'] as const).map((figure) => ({
      what: figure === 'long' ? 'CPU of long polls' : 'CPU of event streams',
      unit: 'µs',
      figure,
      against: { server: 'ours', figure: 'short', name: 'short polls' },
      aim: 0.25,
    })),
    measure: async (server) => {
      const few = clients / 10;
      await shortPolls(server, 50, 20_000);
      for (let time = 0; time < WARM_TIMES; time++) {
        await longPolls(server, few, [await server.submit()]);
        await deliveries(await Audience.of(server, few), 10, 1);
      }
      return { short: await pollsFor(server, few), ...(await waitsFor(server, few)) };
    },
  },
  {
    ...named('resume', clients),
    servers: ['ours', 'floor', 'fastify', 'hono'],
    rows: [
      { what: 'events lost', unit: '', figure: 'lost', against: null, aim: 0 },
      { what: 'events repeated', unit: '', figure: 'repeated', against: null, aim: 0 },
      { what: 'CPU per delivery', unit: 'µs', figure: 'us', against: FLOOR, aim: 0.85 },
    ],
    measure: async (server) => {
      await resuming(server, clients / 100, 50);
      return resuming(server, clients / 10, 100);
    },
  },
  {
    ...named('bill', clients),
    servers: ['ours', 'floor', ...(Object.keys(WITHOUT) as Name[])],
    rows: [],
    steps: Object.values<Step>(STEPS).map((step) => repeated(step, clients)),
    measure: () => Promise.reject(new Error('the bill is measured in steps')),
  },
];

const WAIT_S = 10;
const LOST_MS = 20_000;

/** Clients that ask every second until a job of ten seconds is done, each in its own moment of the second. */
async function pollsFor(server: Server, clients: number): Promise<number> {
  const job = await server.submit();
  const open = await inTurns(clients, () => Connection.open(server.port));
  const request = get(server.paths.status(job));
  const us = await spent(server, 'a client that polls', clients, () =>
    Promise.all(
      open.map(async (connection, n) => {
        await sleep((1000 * n) / clients);
        for (let second = 0; second < WAIT_S; second++) {
          await connection.send(request);
          await sleep(1000);
        }
        await connection.send(request);
      }),
    ),
  );
  for (const connection of open) connection.close();
  await server.tell(server.finish(job));
  return us;
}

/** The same wait as long polls, and as event streams. */
async function waitsFor(server: Server, clients: number): Promise<Figures> {
  const job = await server.submit();
  const open = await inTurns(clients, () => Connection.open(server.port));
  const long = await spent(server, 'a client that long-polls', clients, async () => {
    const answers = open.map((connection) => connection.send(get(server.paths.longPoll(job), PREFER)));
    await sleep(WAIT_S * 1000);
    await server.tell(server.finish(job));
    await Promise.all(answers);
  });
  for (const connection of open) connection.close();

  const audience = new Audience(server, await server.submit());
  await audience.connect(clients);
  const sse = await spent(server, 'a client that reads a stream', clients, async () => {
    await audience.begin();
    await sleep(WAIT_S * 1000);
    await audience.told(0, 1, 1);
  });
  await audience.leave();
  return { long, sse };
}

/** Readers that leave after every few events and come back with their last id, while events flow. */
async function resuming(server: Server, readers: number, events: number): Promise<Figures> {
  const job = await server.submit();
  const path = server.paths.stream(job);
  const all = events + 2; // queued and started, which came before
  const seen = Array.from({ length: readers }, () => [] as string[]);
  const us = await spent(server, 'a delivery to streams that resume', readers * all, async () => {
    const reading = Promise.all(
      seen.map(async (ids, n) => {
        // Sooner or later, each in a rhythm of its own.
        for (let stay = 5 + (n % 20); new Set(ids).size < all; stay = 5 + ((stay + 7) % 20)) {
          await new Promise<void>((resolve, reject) => {
            let left = stay;
            const opening = Stream.open(
              server.port,
              path,
              (stream) => {
                if (left <= 0) return;
                ids.push(stream.lastId);
                left -= 1;
                if (left > 0 && ids.length < all) return;
                stream.close();
                left = 0;
                resolve();
              },
              ids.at(-1),
            );
            opening.catch(reject);
          });
        }
      }),
    );
    for (let n = 1; n <= events; n++) {
      await server.tell(server.progress(job, n / events));
      await sleep(20);
    }
    // A reader that has lost an event would wait forever.
    await Promise.race([reading, sleep(LOST_MS, undefined, { ref: false })]);
  });
  await server.tell(server.finish(job)); // this server takes only so many jobs that are unfinished
  const order = seen.reduce((longest, ids) => (ids.length > longest.length ? ids : longest), []);
  const known = new Set(order);
  let [lost, repeated] = [0, 0];
  for (const ids of seen) {
    const own = new Set(ids);
    lost += [...known].filter((id) => !own.has(id)).length;
    repeated += ids.length - own.size;
  }
  return { lost, repeated, us };
}
