import { existsSync, readFileSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Committed, committedOf, gateLines, readCommitted, regressions } from './gate.js';
import { hasFrameworks } from './install-frameworks.js';
import { Stream } from './load-client.js';
import { startServer } from './measured-servers.js';
import { median } from './median.js';
import { linesOf } from './rounds.js';
import { BILL, billTable, ownTable, peerTable } from './tables.js';
import { type Workload, workloads } from './workloads.js';

const accounts = existsSync('/proc/self/smaps_rollup');
if (!accounts) console.warn('SKIPPED the workloads of the bench: they need /proc, as Linux has it');

const workload: Workload = {
  name: 'one',
  about: 'a workload',
  servers: ['ours', 'floor'],
  rows: [
    { what: 'cost', unit: 'µs', figure: 'us', against: { server: 'floor' }, aim: 1.1 },
    { what: 'speed', unit: '/s', figure: 'perSecond', against: { server: 'floor' }, aim: 0.7, more: true },
    { what: 'lost', unit: '', figure: 'lost', against: null, aim: 0 },
  ],
  measure: async () => ({}),
};
const rounds = (...us: number[]) => us.map((one) => ({ us: one, perSecond: 1000 / one, lost: 0 }));

test('a ratio is the median of the ratios of the rounds, so that a bad minute falls on both', () => {
  const [cost, speed, lost] = linesOf(workload, { ours: rounds(10, 100, 12), floor: rounds(10, 100, 10) });
  expect(cost).toMatchObject({ ours: 12, ratio: 1, met: true, against: { name: 'floor', value: 10 }, others: {} });
  expect(speed).toMatchObject({ ratio: 1, met: true });
  expect(lost).toMatchObject({ ours: 0, ratio: null, met: true });
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('the tables have a column for each server that was measured, and mark a figure beyond its aim', () => {
  const ours = [{ us: 24, perSecond: 500, lost: 1 }];
  const lines = linesOf(workload, { ours, floor: rounds(10), 'no-turns': rounds(12), fastify: rounds(11) });
  const [head, , cost, speed] = peerTable(lines).split('\n');
  expect(head).toBe('| | | bare node:http | Fastify 5 | no turns | ours | in each round | aim |');
  expect(cost).toBe('| a workload | cost | 1 (10.0 µs) | 1.10 | 1.20 | **2.40** ✗ | 2.40 to 2.40 | ≤ 1.1 |');
  expect(speed).toBe('| | speed | 1 (100/s) | 0.91 | 0.83 | **5.00** | 5.00 to 5.00 | ≥ 0.7 |');
  expect(ownTable(lines)).toContain('| a workload | lost | 1.00 | | 1.00 ✗ | ≤ 0 |');
});

test('the bill has the ratio to the bare server of this server as it is, and without each of its parts', () => {
  const figures = (n: number) => [Object.fromEntries(BILL.map(({ figure }) => [figure, n]))];
  const text = billTable({
    ...{ floor: figures(10), ours: figures(20), 'no-ledger': figures(15), 'no-store': figures(18) },
    ...{ 'no-limits': figures(19), 'no-turns': figures(20), 'two-headers': figures(17), 'none-of-these': figures(11) },
  });
  expect(text).toContain('| short poll | 1 (10.0 µs) | 2.00 | 1.50 | 1.80 | 1.90 | 2.00 | 1.70 | 1.10 |');
});

const committed = committedOf(linesOf(workload, { ours: rounds(20), floor: rounds(10) }), {
  ...{ machine: 'm', date: '2026-01-01', clients: 10_000 },
});
/** What the gate says of a change that makes each of two rounds cost so much. */
const gateOf = (...us: number[]) =>
  regressions(gateLines(workload, { ours: rounds(...us), floor: rounds(10, 10) }), committed);

test('the gate passes what is up to 15 % worse than the committed table, or is so in one round alone', () => {
  expect(gateOf(20, 20)).toEqual([]);
  expect(gateOf(22.9, 22.9)).toEqual([]);
  expect(gateOf(60, 21)).toEqual([]);
  expect(gateOf(5, 5)).toEqual([]);
});

test('the gate names the row, the committed value and the measured one of what is worse', () => {
  expect(gateOf(24, 30)).toEqual([
    'one: cost: committed 2.00, measured 2.40.',
    'one: speed: committed 0.50, measured 0.42.',
  ]);
  const lost = [{ us: 20, perSecond: 50, lost: 1 }];
  expect(regressions(gateLines(workload, { ours: lost, floor: rounds(10) }), committed)).toEqual([
    'one: lost: committed 0.00, measured 1.00.',
  ]);
});

test('the gate does not pass a row that the committed table lacks', () => {
  const lines = gateLines(workload, { ours: rounds(20), floor: rounds(10) });
  expect(() => regressions(lines, { ...committed, rows: {} })).toThrow('no row "one: cost"');
});

test('the committed table has every row of every workload', async () => {
  const { clients, rows }: Committed = await readCommitted(10_000);
  for (const { name, rows: wanted } of workloads(clients))
    expect(Object.keys(rows[name] ?? {})).toEqual(wanted.map(({ what }) => what));
  await expect(readCommitted(500)).rejects.toThrow('--gate expects --clients 10000');
});

test("the frameworks' lock file names no registry", () => {
  const lock = readFileSync(join(import.meta.dirname, 'frameworks', 'package-lock.json'), 'utf8');
  expect(JSON.parse(lock).packages['node_modules/fastify'].version).toMatch(/^5\./);
  expect(lock).not.toContain('"resolved"');
});

const small = workloads(100).filter(({ name }) => name === 'resume');
test.skipIf(!accounts).each(small)('$name can be measured, of this server and of the floor', async (workload) => {
  for (const name of ['ours', 'floor'] as const) {
    const server = await startServer(name);
    try {
      const figures = await workload.measure(server, 100);
      for (const { figure } of workload.rows) expect(Number.isFinite(figures[figure]), figure).toBe(true);
      if (workload.name === 'resume') expect(figures).toMatchObject({ lost: 0, repeated: 0 });
    } finally {
      await server.stop();
    }
  }
});

// The frameworks are there where the bench was run once.
const peers = hasFrameworks() ? (['fastify', 'hono'] as const) : [];
test.each(['ours', 'floor', ...peers] as const)(
  '%s: a poll, a held poll, a stream and one that resumes',
  async (name) => {
    const server = await startServer(name);
    const opened: Stream[] = [];
    try {
      const job = await server.submit();
      const at = (path: string, init = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
      const status = async () => (await at(server.paths.status(job))).json();
      expect(await status()).toMatchObject({ jobId: job, state: 'running', progress: 0, finishedAt: null });

      /** Resolves with a reader's events when there are so many. */
      const read = (count: number, lastId = '') =>
        new Promise<string[]>((resolve, reject) => {
          const ids: string[] = [];
          Stream.open(
            server.port,
            server.paths.stream(job),
            (stream) => {
              if (ids.push(stream.lastId) === count) resolve([...ids]);
            },
            lastId,
          ).then((stream) => opened.push(stream), reject);
        });
      const before = await read(2); // queued, started
      const resumed = read(2, before[1]);
      const held = at(server.paths.longPoll(job), { headers: { Prefer: 'wait=60' } });
      await status(); // both requests were sent before this one
      await server.tell(server.progress(job, 0.5), server.finish(job));
      const ids = await read(4);
      expect(ids.slice(0, 2)).toEqual(before);
      expect(await resumed).toEqual(ids.slice(2));
      expect(await (await held).json()).toEqual({ answer: 42 });
      expect(await status()).toMatchObject({ state: 'succeeded', progress: 1, result: { answer: 42 } });
    } finally {
      for (const stream of opened) stream.close();
      await server.stop();
    }
  },
);

test.skipIf(!accounts)('the server without its ledger and its store keeps no rows and opens no database', async () => {
  const seen = async (name: 'ours' | 'none-of-these') => {
    const server = await startServer(name);
    try {
      const job = await server.submit();
      await server.tell(server.finish(job));
      const at = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`).then((response) => response.json());
      const descriptors = join('/proc', String(server.pids[0]), 'fd');
      const open = await Promise.all(
        (await readdir(descriptors)).map((fd) => readlink(join(descriptors, fd)).catch(() => '')),
      );
      return {
        result: await at(server.paths.longPoll(job)),
        rows: (await at('/traffic')).requests.length > 0,
        database: open.some((file) => file.endsWith('log.db')),
      };
    } finally {
      await server.stop();
    }
  };
  expect(await seen('ours')).toEqual({ result: { answer: 42 }, rows: true, database: true });
  expect(await seen('none-of-these')).toEqual({ result: { answer: 42 }, rows: false, database: false });
});
