import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Cluster } from '../../scripts/cluster/cluster.js';
import { NO_ENGINE } from '../../scripts/cluster/engine.js';
import { findEngine } from '../../scripts/shared/find-program.mjs';
import { checkout, pathsOf } from '../../scripts/shared/paths.mjs';
import { campaign, type Victims } from './kills.js';
import { aimedAt } from './server.js';

// `npm run soak -- --only cluster` does the same with more faults, and prints its seeds; KILL_SEED tries one again.
const faults = Number(process.env.SOAK_FAULTS ?? 4);
const seed = Number(process.env.KILL_SEED ?? randomInt(2 ** 31));
const LEASE_MS = 1_000;

const present = findEngine(pathsOf(checkout)) !== null;
if (!present && process.env.CI) throw new Error(`The tests of a cluster need ${NO_ENGINE}.`);
if (!present) console.warn(`SKIPPED: the tests of a cluster need ${NO_ENGINE}.`);

/** Every fault that a cluster must outlive. */
type Fault = (cluster: Cluster, random: () => number) => Promise<void>;
const one = ({ servers }: Cluster, random: () => number) => servers[Math.floor(random() * servers.length)]!;
const FAULTS: Record<string, Fault> = {
  async 'kill -9 of a server'(cluster, random) {
    const server = one(cluster, random);
    server.kill('SIGKILL');
    await server.ended();
    await pause(random() * LEASE_MS);
    await server.start();
  },
  async 'a server is stopped past its lease, and goes on'(cluster, random) {
    const server = one(cluster, random);
    server.kill('SIGSTOP');
    // Others take over what it worked on: they notice at their next beat, a third of a lease later.
    await pause(LEASE_MS * (1.5 + random()));
    server.kill('SIGCONT');
  },
  async 'kill -9 of the engine'(cluster, random) {
    cluster.engine!.signal('SIGKILL');
    await cluster.engine!.ended;
    await pause(random() * 200);
    await cluster.restartEngine();
  },
  async 'the engine is stopped, and goes on'(cluster, random) {
    cluster.engine!.signal('SIGSTOP');
    await pause(random() * 4_000);
    cluster.engine!.signal('SIGCONT');
  },
};

const harmed: string[] = [];
async function victims(folder: string, flags: string[]): Promise<Victims> {
  const more = [...flags, '--lease-ms', String(LEASE_MS)];
  const cluster = await Cluster.start({ root: checkout, servers: 3, folder, flags: more });
  let turn = 0;
  const order = Object.keys(FAULTS);
  return {
    next: () => cluster.servers[turn++ % cluster.servers.length]!.url,
    async harm(random) {
      // Each fault once, then any of them.
      const name = order[harmed.length] ?? order[Math.floor(random() * order.length)]!;
      harmed.push(name);
      await FAULTS[name]!(cluster, random);
    },
    stop: () => cluster.stop(),
    said: () => cluster.servers.map((server) => `${server.name}: ${server.said()}`).join('\n'),
  };
}

describe.skipIf(!present || aimedAt)('three servers on one engine', () => {
  test(
    `${faults} faults: every job ends once, and clients that change server at every request see every event once and in order`,
    async () => {
      const survey = await campaign({
        seed,
        kills: faults,
        clients: 4,
        cluster: victims,
        say: (line) => console.log(line),
      });
      console.log(`seed ${seed}: ${JSON.stringify(survey)}, ${harmed}`);
      expect(harmed.length).toBeGreaterThanOrEqual(Math.min(faults, Object.keys(FAULTS).length));
      expect(survey.jobs).toBeGreaterThan(faults);
    },
    120_000 + faults * 20_000,
  );
});
