import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Cluster } from '../../scripts/cluster/cluster.js';
import { type EngineProcess, NO_ENGINE, startEngine } from '../../scripts/cluster/engine.js';
import { findEngine } from '../../scripts/shared/find-program.mjs';
import { checkout, pathsOf } from '../../scripts/shared/paths.mjs';
import { Client, newExperiment } from './client.js';
import { type EngineProxy, openEngineProxy } from './engine-proxy.js';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { campaign, type Victims } from './kills.js';
import { aimedAt, temporaryFolder } from './server.js';
import type { EventRecord } from './types.js';
import { eventually, within } from './within.js';

// `npm run soak -- --only cluster` does the same with more faults, and prints its seeds; KILL_SEED tries one again.
const faults = Number(process.env.SOAK_FAULTS ?? 5);
const seed = Number(process.env.KILL_SEED ?? randomInt(2 ** 31));
const LEASE_MS = 1_000;

const program = findEngine(pathsOf(checkout));
if (!program && process.env.CI) throw new Error(`The tests of a cluster need ${NO_ENGINE}.`);
if (!program) console.warn(`SKIPPED: the tests of a cluster need ${NO_ENGINE}.`);

/** Servers, their engine, and what stands between. */
class Harmed {
  private constructor(
    private readonly folder: string,
    public engine: EngineProcess,
    readonly proxy: EngineProxy,
    readonly cluster: Cluster,
  ) {}

  static async start(folder: string, servers: number, flags: string[]): Promise<Harmed> {
    const engine = await startEngine(program as string, join(folder, 'engine'));
    const proxy = await openEngineProxy(engine.port);
    const more = [...flags, '--lease-ms', String(LEASE_MS)];
    try {
      const cluster = await Cluster.start({ root: checkout, servers, folder, engine: proxy.url, flags: more });
      return new Harmed(folder, engine, proxy, cluster);
    } catch (error) {
      proxy.close();
      await engine.stop();
      throw error;
    }
  }

  get servers() {
    return this.cluster.servers;
  }

  one(random: () => number) {
    return this.servers[Math.floor(random() * this.servers.length)]!;
  }

  /** Kills the engine with SIGKILL, and starts it again; without what it has kept if `empty`. */
  async killEngine(downMs: number, empty = false): Promise<void> {
    const { port } = this.engine;
    this.engine.signal('SIGKILL');
    await this.engine.ended;
    await pause(downMs);
    if (empty) rmSync(join(this.folder, 'engine'), { recursive: true });
    this.engine = await startEngine(program as string, join(this.folder, 'engine'), port);
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    this.proxy.close();
    this.engine.signal('SIGCONT');
    await this.engine.stop();
  }
}

/** Every fault that a cluster must outlive, with nothing lost. */
const FAULTS: Record<string, (harmed: Harmed, random: () => number) => Promise<void>> = {
  async 'kill -9 of a server'(harmed, random) {
    const server = harmed.one(random);
    const { url } = server;
    server.kill('SIGKILL');
    await server.ended();
    await pause(random() * LEASE_MS);
    await server.start();
    // Clients come back to where it was.
    expect(server.url).toBe(url);
  },
  async 'the answer to a commit is lost, and the commit is sent again'({ proxy: { faults } }) {
    const before = faults.lost;
    faults.losesAnswer = true;
    // The clients go on: one of them makes the commit.
    await eventually(async () => faults.lost > before || undefined, 'a commit', 60_000);
  },
  async 'a server is stopped past its lease, and goes on'(harmed, random) {
    const server = harmed.one(random);
    server.kill('SIGSTOP');
    // Others take over what it worked on: they notice at their next beat, a third of a lease later.
    await pause(LEASE_MS * (1.5 + random()));
    server.kill('SIGCONT');
  },
  async 'kill -9 of the engine'(harmed, random) {
    await harmed.killEngine(random() * 200);
  },
  async 'the engine is stopped, and goes on'(harmed, random) {
    harmed.engine.signal('SIGSTOP');
    await pause(random() * 4_000);
    harmed.engine.signal('SIGCONT');
  },
};

const harms: string[] = [];
async function victims(folder: string, flags: string[]): Promise<Victims> {
  const harmed = await Harmed.start(folder, 3, flags);
  let turn = 0;
  const order = Object.keys(FAULTS);
  return {
    next: () => harmed.servers[turn++ % harmed.servers.length]!.url,
    async harm(random) {
      // Each fault once, then any of them.
      const name = order[harms.length] ?? order[Math.floor(random() * order.length)]!;
      harms.push(name);
      await FAULTS[name]!(harmed, random);
    },
    stop: () => harmed.stop(),
    said: () => harmed.servers.map((server) => `${server.name}: ${server.said()}`).join('\n'),
  };
}

describe.skipIf(!program || aimedAt)('servers on one engine', () => {
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
      console.log(`seed ${seed}: ${JSON.stringify(survey)}, ${harms}`);
      expect(harms.length).toBeGreaterThanOrEqual(Math.min(faults, Object.keys(FAULTS).length));
      expect(survey.jobs).toBeGreaterThan(faults);
    },
    120_000 + faults * 20_000,
  );

  test('while the engine is stopped, each request gets 503, and streams stay open with heartbeats; then they go on', async () => {
    const folder = await temporaryFolder();
    const harmed = await Harmed.start(folder, 2, ['--heartbeat-ms', '100', '--lease-ms', '60000']);
    try {
      const [a, b] = harmed.servers.map(({ url }) => new Client(url)) as [Client, Client];
      const { jobId } = await a.manual();
      const stream = await b.stream(`/jobs/${jobId}/events`);
      await stream.upTo('started');
      const experiment = newExperiment();
      b.headers = { Experiment: experiment };
      harmed.engine.signal('SIGSTOP');
      const asked = [
        b.get(`/jobs/${jobId}`),
        b.get(`/jobs/${jobId}/result`, { Prefer: 'wait=60' }),
        b.get(`/jobs/${jobId}/events`),
        b.get('/events?after=0-0', { Accept: 'application/json' }),
        b.post('/jobs', { kind: 'manual' }),
      ];
      // What each of them is, the ledger says while the engine is asked.
      const { requests } = await eventually(async () => {
        const traffic = await b.traffic(experiment);
        return traffic.requests.length === asked.length ? traffic : undefined;
      }, 'the requests to arrive');
      const techniques = requests.map(({ technique }) => technique).sort();
      expect(techniques).toEqual(['consume', 'event-stream', 'long-poll', 'short-poll', 'submit']);
      const heard = stream.comments.length;
      for (const answer of await Promise.all(asked)) {
        expectProblem(answer, 503);
        expectRetryAfter(answer);
      }
      await stream.commented(heard + 2);
      harmed.engine.signal('SIGCONT');
      await eventually(
        async () => ((await a.get(`/jobs/${jobId}`)).status === 200 ? true : undefined),
        'the engine to answer',
      );
      await a.finish(jobId);
      expect((await stream.toTheEnd()).map(({ event }) => event)).toEqual(['succeeded']);
    } finally {
      await harmed.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('a log that is lost, in part or whole, is read anew by every server, and each client is told of a gap', async () => {
    const folder = await temporaryFolder();
    const KEPT = 40;
    const harmed = await Harmed.start(folder, 2, ['--max-events', String(KEPT), '--retry-ms', '20']);
    try {
      const [a, b] = harmed.servers.map(({ url }) => new Client(url)) as [Client, Client];
      /** Asks until the server has read its log anew. */
      const read = (client: Client, path: string) =>
        eventually(async () => {
          const answer = await client.get(path, { Accept: 'application/json' });
          return answer.status === 503 ? undefined : answer;
        }, 'the log to be read anew');
      const page = async (client: Client, after: string) =>
        (await read(client, `/events?after=${after}&min=0`)).json<{
          events: EventRecord[];
          gap?: { oldest: string };
        }>();

      // The log is trimmed while a server is frozen: it has never read what is gone.
      const { jobId } = await a.manual();
      const stream = await b.stream(`/jobs/${jobId}/events`);
      const known = (await stream.upTo('started')).at(-1)!.id as string;
      const follower = await b.stream('/events', { 'Last-Event-ID': known });
      await follower.opened();
      harmed.servers[1]!.kill('SIGSTOP');
      await a.until((await a.simulated({ steps: 3 * KEPT })).jobId);
      await a.manual(); // a commit drops what the one before it has pushed out
      harmed.servers[1]!.kill('SIGCONT');
      await within(follower.ended, 'a stream of the server that was frozen to end'); // its client comes again, with the newest id that it has
      const newest = follower.events.at(-1)?.id ?? known;
      const [atA, atB] = [await page(a, newest), await page(b, newest)];
      expect(atA.events).toHaveLength(KEPT);
      expect(atA.gap).toEqual({ oldest: atA.events[0]!.id });
      expect(atB).toEqual(atA);
      const resumed = await b.stream('/events', { 'Last-Event-ID': newest });
      const [gap, ...rest] = await resumed.take(1 + KEPT);
      expect([gap!.event, gap!.data]).toEqual(['gap', atA.gap]);
      expect(rest.map(({ id }) => id)).toEqual(atA.events.map(({ id }) => id));
      resumed.close();

      // The engine comes back without its data.
      const held = b.get(`/jobs/${jobId}/result`, { Prefer: 'wait=60' });
      const reader = await b.stream('/events');
      const position = (await reader.next()).id as string;
      await harmed.killEngine(0, true);
      await within(reader.ended, 'a stream to end that the log was lost under');
      expect([202, 404, 503]).toContain((await held).status); // the wait is over, long before its time
      for (const client of [a, b]) {
        const answer = await read(client, `/jobs/${jobId}`);
        expectProblem(answer, 404);
        expect(await page(client, position)).toMatchObject({ events: [], gap: { oldest: null } });
      }
      const fresh = await a.manual();
      const [first] = (await page(b, position)).events;
      expect(first!.id).not.toBe(known);
      const waiting = b.get(`/jobs/${fresh.jobId}/result`, { Prefer: 'wait=60' });
      await a.finish(fresh.jobId, { result: 'found' });
      expect((await waiting).json()).toBe('found');
    } finally {
      await harmed.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }, 180_000);
});
