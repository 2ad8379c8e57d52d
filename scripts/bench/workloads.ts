import { partsOfBill, withClients, workloadNames } from '../commands.mjs';
import type { Name, Server } from './measured-servers.js';
import { type Figures, meansOf, WARM_TIMES, whenWarm } from './workloads/figures.js';
import { longPolls, longPollsEach } from './workloads/long-polls.js';
import { resuming } from './workloads/resuming.js';
import { shortPolls } from './workloads/short-polls.js';
import { Audience, deliveries, opened, openings } from './workloads/streams.js';
import { pollsFor, waitsFor } from './workloads/waiting.js';

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
    servers: ['ours', 'floor', ...partsOfBill],
    rows: [],
    steps: Object.values<Step>(STEPS).map((step) => repeated(step, clients)),
    measure: () => Promise.reject(new Error('the bill is measured in steps')),
  },
];
