import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startServer } from './measured-servers.js';
import { linesOf, median, table } from './rounds.js';
import { type Workload, workloads } from './workloads.js';

const accounts = existsSync('/proc/self/smaps_rollup');
if (!accounts) console.warn('SKIPPED the workloads of the bench: they need /proc, as Linux has it');

const workload: Workload = {
  name: 'one',
  about: 'a workload',
  servers: ['ours', 'floor'],
  rows: [
    { what: 'cost', unit: 'µs', figure: 'us', against: { server: 'floor' }, aim: 1.1 },
    { what: 'lost', unit: '', figure: 'lost', against: null, aim: 0 },
  ],
  measure: async () => ({}),
};

test('a ratio is the median of the ratios of the rounds, so that a bad minute falls on both', () => {
  const ours = [10, 100, 12].map((us) => ({ us, lost: 0 }));
  const floor = [10, 100, 10].map((us) => ({ us }));
  const [cost, lost] = linesOf(workload, { ours, floor });
  expect(cost).toMatchObject({ ours: 12, ratio: 1, met: true, against: { name: 'floor', value: 10 }, nchan: null });
  expect(lost).toMatchObject({ ours: 0, ratio: null, met: true });
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('a figure beyond its aim is marked in the table', () => {
  const text = table(linesOf(workload, { ours: [{ us: 24, lost: 1 }], floor: [{ us: 10 }] }));
  expect(text).toContain('| a workload | cost | 24.0 µs | 10.0 µs (floor) | 2.40 ✗ | 1.1 |  |');
  expect(text).toContain('|  | lost | 1.00 |  | 1 ✗ | 0 |  |');
});

const small = workloads(100).filter(({ name }) => ['long-poll-each', 'resume'].includes(name));
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
