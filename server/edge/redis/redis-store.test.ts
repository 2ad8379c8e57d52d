import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type EngineProcess, NO_ENGINE, startEngine } from '../../../scripts/cluster/engine.js';
import { findEngine } from '../../../scripts/shared/find-program.mjs';
import { checkout, pathsOf } from '../../../scripts/shared/paths.mjs';
import { type EngineProxy, openEngineProxy } from '../../conformance/engine-proxy.js';
import type { Job } from '../../core/jobs/job.js';
import { NotReadable, NotWritable } from '../../core/log/errors.js';
import { Ids, NOWHERE } from '../../core/log/event.js';
import { type Change, type Committed, type Contents, StoreError } from '../../core/log/store.js';
import { storeSuite } from '../store/store-suite.js';
import { Address, type Link } from './link.js';
import { RedisStore } from './redis-store.js';

const program = findEngine(pathsOf(checkout)) as string;
if (!program && process.env.CI) throw new Error(`The tests of the engine need ${NO_ENGINE}.`);
if (!program) console.warn(`SKIPPED: the tests of the engine need ${NO_ENGINE}.`);

const BOUNDS = { events: 1_000, eventBytes: 1e7, jobs: 1_000, jobBytes: 1e7 };
const NONE = { jobs: [], events: 0 };
const LEASE_MS = 500;

function change(
  jobId: string,
  version: number,
  patch: Partial<Job> = {},
  name: Change['event']['event'] = 'progress',
): Change {
  const times = { createdAt: '', startedAt: null, finishedAt: null };
  const job: Job = {
    ...{ jobId, spec: { kind: 'manual' }, state: 'running', progress: 0, version, ...times },
    ...{ result: null, error: null, key: null, ...patch },
  };
  return { event: { jobId, event: name, data: `${version}`, at: '' }, job, first: 0, last: 0 };
}

/** A store of a server, and what it was told. */
class Server {
  readonly store: RedisStore;
  readonly told: Committed[] = [];
  readonly works: string[] = [];
  contents!: Contents;
  lost = 0;

  constructor(url: string, name: string, leaseMs = LEASE_MS) {
    this.store = new RedisStore(url, { name, leaseMs, uploads: 'none' });
    this.store.onWork = (jobId) => this.works.push(jobId);
    this.store.onLost = () => {
      this.lost++;
    };
  }

  async open(bounds = BOUNDS): Promise<this> {
    this.told.length = 0;
    this.contents = await this.store.open(bounds, (committed) => this.told.push(...committed));
    return this;
  }

  get places(): string[] {
    return this.told.map(({ event, job }) => `${event.seq} ${event.jobId} ${job.version}`);
  }
}

/** Asks until it holds: what an engine and its servers do takes its time. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.skipIf(!program)('with a Redis or Valkey', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polling-lab-engine-'));
  let engine: EngineProcess;
  const servers: Server[] = [];
  const proxies: EngineProxy[] = [];
  const serve = async (name: string, url = engine.url, leaseMs = LEASE_MS) => {
    const server = new Server(url, name, leaseMs);
    servers.push(server);
    return server.open();
  };
  const wipe = async () => {
    const client = new Redis(engine.port);
    await client.flushall();
    client.disconnect();
  };

  beforeAll(async () => {
    engine = await startEngine(program, join(folder, 'data'));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) server.store.abandon();
    for (const proxy of proxies.splice(0)) proxy.close();
    await wipe();
  });
  afterAll(async () => {
    await engine.stop();
    rmSync(folder, { recursive: true });
  });

  storeSuite(
    'Redis',
    () => ({
      store: () => new RedisStore(engine.url, { name: 'test', leaseMs: LEASE_MS, uploads: 'none' }),
      crash: (store) => (store as RedisStore).abandon(),
      remove: wipe,
    }),
    { shared: true },
  );

  const proxy = async () => {
    const opened = await openEngineProxy(engine.port);
    proxies.push(opened);
    return opened;
  };

  test('thousands of changes are refused at once, and what came with them is written once', async () => {
    const a = await serve('a');
    const refused = Array.from({ length: 9_000 }, (_, n) => change(`x${n}`, 2));
    expect((await a.store.commit([change('y', 1), ...refused], NONE))?.size).toBe(9_000);
    expect(a.places).toEqual(['1 y 1']);
  });

  test('all servers are told all commits in one order; a job that another server has changed first is refused, and it alone', async () => {
    const [a, b] = [await serve('a'), await serve('b')];
    await a.store.commit([change('x', 1)], NONE);
    await Promise.all([a.store.commit([change('x', 2), change('y', 1)], NONE), b.store.commit([change('z', 1)], NONE)]);
    expect(await b.store.commit([change('x', 2), change('v', 1)], NONE)).toEqual(new Set(['x']));
    // What was first is told before the refusal.
    expect(b.places.some((place) => place.endsWith('x 2'))).toBe(true);
    await a.store.fresh();
    expect(a.places).toEqual(b.places);
    expect(a.told.map(({ event }) => event.seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test('an Idempotency-Key makes one job, whichever servers it comes to; and another one when that job is dropped', async () => {
    const [a, b] = [await serve('a'), await serve('b')];
    const key = { name: 'k with a space', fingerprint: '' };
    expect(await a.store.commit([change('x', 1, { key })], NONE)).toBeUndefined();
    expect(await b.store.commit([change('y', 1, { key })], NONE)).toEqual(new Set(['y']));
    await a.store.commit([change('z', 1)], { jobs: [{ jobId: 'x', first: 1 }], events: 0 });
    expect(await b.store.commit([change('y', 1, { key })], NONE)).toBeUndefined();
  });

  test('a read waits until this server knows what any server has committed', async () => {
    const through = await proxy();
    const [a, b] = [await serve('a'), await serve('b', through.url)];
    await b.store.fresh();
    through.faults.holds = true;
    await a.store.commit([change('x', 1)], NONE);
    await until(() => through.held.length > 0); // the news are on the way to b
    let fresh = false;
    const reading = b.store.fresh().then(() => {
      fresh = true;
    });
    // A commit of b's own goes to the engine behind that question: when the engine has it, it has answered the question.
    const committing = b.store.commit([change('y', 1)], NONE);
    await until(async () => {
      await a.store.fresh();
      return a.places.includes('2 y 1');
    });
    expect([fresh, b.places]).toEqual([false, []]);
    through.release();
    await reading;
    expect(b.places).toContain('1 x 1');
    await committing;
  });

  test('a commit whose answer is lost is sent again, and is there once', async () => {
    const through = await proxy();
    const a = await serve('a', through.url);
    await a.store.commit([change('x', 1)], NONE);
    through.faults.losesAnswer = true;
    expect(await a.store.commit([change('x', 2), change('y', 1)], NONE)).toBeUndefined();
    expect(through.faults.lost).toBe(1);
    expect(a.places).toEqual(['1 x 1', '2 x 2', '3 y 1']);
  });

  test('the jobs of a server that stops are taken over after its lease; if it goes on, its changes of them are refused', async () => {
    const spec = { kind: 'simulated' as const, durationMs: 1, steps: 1, failAtStep: null };
    const [a, b] = [await serve('a', engine.url, 60_000), await serve('b')];
    await a.store.commit([change('x', 1, { spec }, 'queued'), change('m', 1)], NONE);
    expect(await a.store.commit([change('x', 2, { spec })], NONE)).toBeUndefined();
    expect(b.works).toEqual([]);
    // As a process that is stopped: it does not renew its lease, and knows nothing of it.
    const { heart, id } = a.store as unknown as { heart: NodeJS.Timeout; id: string };
    clearInterval(heart);
    const client = new Redis(engine.port);
    await client.zadd('polling-lab:servers', 0, id);
    client.disconnect();
    await until(() => b.works.length > 0);
    expect(b.works).toEqual(['x']);
    expect(await a.store.commit([change('x', 3, { spec }), change('m', 2)], NONE)).toEqual(new Set(['x']));
    expect(await b.store.commit([change('x', 3, { spec })], NONE)).toBeUndefined();
    // To cancel a job, a server need not work on it.
    expect(await a.store.commit([change('x', 4, { spec, finishedAt: 'now' }, 'cancelled')], NONE)).toBeUndefined();
  });

  test('a server that stops in an orderly way leaves its jobs at once', async () => {
    const spec = { kind: 'simulated' as const, durationMs: 1, steps: 1, failAtStep: null };
    const [a, b] = [await serve('a'), await serve('b')];
    await a.store.commit([change('x', 1, { spec }, 'queued')], NONE);
    await a.store.close();
    await until(() => b.works.includes('x'));
  });

  test('events that were dropped before a server had read them are a gap: it reads the log anew', async () => {
    const through = await proxy();
    const [a, b] = [await serve('a'), await serve('b', through.url)];
    await a.store.commit([change('x', 1)], NONE);
    await b.store.fresh();
    through.faults.holds = true;
    for (let version = 2; version < 6; version++) await a.store.commit([change('x', version)], NONE);
    await until(() => through.held.length > 0);
    through.held.length = 0; // the events are lost on the way, as for a server that is stopped
    await a.store.commit([change('x', 6)], { jobs: [], events: 5 });
    through.faults.holds = false;
    await until(() => b.lost > 0);
    await expect(b.store.fresh()).rejects.toThrow(NotReadable);
    await b.open();
    expect([b.contents.trimmed, b.contents.events.map(({ seq }) => seq)]).toEqual([5, [6]]);
    await b.store.fresh();
  });

  test('while the engine is stopped, nothing is read or written; what was given up is there for all servers or for none', async () => {
    const [a, b] = [await serve('a'), await serve('b')];
    await a.store.commit([change('x', 1)], NONE);
    engine.signal('SIGSTOP');
    const reading = a.store.fresh();
    const writing = a.store.commit([change('x', 2)], NONE);
    await expect(reading).rejects.toThrow(NotReadable);
    await expect(writing).rejects.toThrow(NotWritable);
    const settled = a.store.settled();
    expect(settled).toBeDefined();
    engine.signal('SIGCONT');
    await a.store.commit([change('y', 1)], NONE);
    await settled;
    await b.store.fresh();
    expect(a.places).toEqual(b.places);
    expect(new Set(a.places).size).toBe(a.places.length);
  });

  test('an engine that is started again keeps ids that it gave; without some of its data, ids of what was lost are gaps', async () => {
    const a = await serve('a');
    await a.store.commit([change('x', 1)], NONE);
    const first = a.store.name;
    const kept = new Ids(a.store).of(1);
    engine.signal('SIGKILL');
    await engine.ended;
    cpSync(join(folder, 'data'), join(folder, 'earlier'), { recursive: true });
    engine = await startEngine(program, join(folder, 'data'), engine.port);
    await a.store.commit([change('x', 2), change('x', 3)], NONE);
    const second = a.store.name;
    const later = new Ids(a.store).of(3);
    expect([second === first, a.lost, a.places]).toEqual([false, 0, ['1 x 1', '2 x 2', '3 x 3']]);
    expect([new Ids(a.store).of(1), new Ids(a.store).read(kept)]).toEqual([kept, 1]);

    engine.signal('SIGKILL');
    await engine.ended;
    rmSync(join(folder, 'data'), { recursive: true });
    cpSync(join(folder, 'earlier'), join(folder, 'data'), { recursive: true });
    engine = await startEngine(program, join(folder, 'data'), engine.port);
    await until(() => a.lost > 0);
    await a.open();
    expect(a.contents.events.map(({ seq }) => seq)).toEqual([1]);
    await a.store.commit([change('y', 1), change('y', 2)], NONE);
    const ids = new Ids(a.store);
    // Position 3 is another event now.
    expect([ids.read(kept), ids.read(later), ids.of(3) === later]).toEqual([1, NOWHERE, false]);
  });

  test("an engine that has another program's keys, or no such database, is not used", async () => {
    const client = new Redis(engine.port);
    await client.set('polling-lab:jobs', 'of a stranger');
    const a = new Server(engine.url, 'a');
    const wrong = /Expected a hash at the key polling-lab:jobs, got a string of another program/;
    await expect(a.open()).rejects.toThrow(wrong);
    await client.flushall();
    const b = await serve('b');
    await client.set('polling-lab:owners', 'of a stranger');
    (b.store as unknown as { link: Link }).link.renew();
    await expect(b.store.fresh()).rejects.toThrow(NotReadable);
    await client.del('polling-lab:owners');
    await until(() =>
      b.store.fresh().then(
        () => true,
        () => false,
      ),
    );
    client.disconnect();
    await expect(new Server(engine.url.replace(/0$/, '9999'), 'c').open()).rejects.toThrow(/DB index is out of range/);
  });

  test('servers of one engine hold as much, and share the folder of the uploads', async () => {
    await serve('a');
    const b = new Server(engine.url, 'b');
    servers.push(b);
    await expect(b.open({ ...BOUNDS, jobs: 7 })).rejects.toThrow(/Give all of them the same/);
    const c = new RedisStore(engine.url, { name: 'c', leaseMs: LEASE_MS, uploads: 'another' });
    await expect(c.open(BOUNDS, () => {})).rejects.toThrow(/another folder for uploads/);
  });
});

test('an engine that cannot be reached, or is none, is told in a sentence without its password', async () => {
  for (const url of ['http://h', 'redis://h/x', 'nonsense', 'redis://u:geheim@h/1/2'])
    expect(() => new Address(url)).toThrow(StoreError);
  const { text, options } = new Address('rediss://u:geheim@engine.example:7000/3');
  expect(text).toBe('rediss://engine.example:7000/3');
  expect(options).toMatchObject({ host: 'engine.example', port: 7000, db: 3, password: 'geheim', tls: {} });
  const away = new RedisStore('redis://:geheim@127.0.0.1:1', { name: 'a', leaseMs: LEASE_MS, uploads: '' });
  const error = await Promise.resolve(away.open(BOUNDS, () => {})).catch((error: Error) => error);
  expect(error).toBeInstanceOf(StoreError);
  expect((error as Error).message).toMatch(/^The engine cannot be used \(redis:\/\/127\.0\.0\.1:1\/0: .*ECONNREFUSED/);
  expect((error as Error).message).not.toContain('geheim');
});
