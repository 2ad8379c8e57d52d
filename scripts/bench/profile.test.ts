import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { partsOfHeap } from './heap.js';
import { profile, rowsOf, timesOf } from './profile.js';

test('a profile is told by what was on top, in the time of each operation', () => {
  const frames = [
    ['(idle)', ''],
    ['(garbage collector)', ''],
    ['exec', 'file:///x/node_modules/libsql/index.js'],
    ['touch', 'file:///x/server/edge/ledger.ts'],
    ['admit', 'file:///x/server/edge/http/lifetime.ts'],
    ['wait', 'file:///x/server/core/log/delivery.ts'],
    ['shortPoll', 'file:///x/server/core/techniques/status.ts'],
    ['emit', 'node:events'],
    ['writev', ''],
  ];
  const nodes = frames.map(([functionName = '', url = ''], id) => ({ id, callFrame: { functionName, url } }));
  // A sample of each function in each of three spans of a thousand microseconds; the one in the middle is of nothing.
  const samples = [0, 1, 2].flatMap(() => nodes.map(({ id }) => id));
  const timeDeltas = [0, 1, 2].flatMap(() => nodes.map(({ id }) => (id === 0 ? 1_000 - 36 : id)));
  const spans = [
    { operation: 'a short poll', count: 10, from: 5_001, to: 6_000, otherThreadsUs: 40 },
    { operation: 'to open a stream', count: 2, from: 7_001, to: 8_000, otherThreadsUs: 50 },
  ];
  const times = timesOf({ nodes, samples, startTime: 5_000, timeDeltas }, spans);
  expect(times).toEqual(
    new Map([
      ['a short poll', { count: 10, parts: [964, 1, 40, 2, 3, 4, 5, 6, 7, 8] }],
      ['to open a stream', { count: 2, parts: [964, 1, 50, 2, 3, 4, 5, 6, 7, 8] }],
    ]),
  );
});

test('the table has microseconds for each operation, and their sum without what was idle', () => {
  const parts = [100, 1, 10, 2, 3, 4, 5, 6, 7, 8];
  const [bare, without, ours] = [1, 2, 3].map(
    (times) => new Map([['a short poll', { count: 10, parts: parts.map((us) => us * times) }]]),
  );
  const rows = rowsOf([bare!, without!, ours!]);
  expect(rows[0]).toEqual(['a short poll', 'garbage collection', '0.1', '0.2', '0.3']);
  expect(rows.at(-1)).toEqual(['a short poll', '**all**', '4.6', '9.2', '13.8']);
});

test('what the heap holds is told by what it belongs to, and what belongs to nothing in the last row', () => {
  const parts = partsOfHeap({
    ...{ Row: [2, 20], Share: [1, 5], Lifetime: [1, 7] },
    ...{ 'system / Context': [3, 30], Array: [4, 40] },
  });
  expect([parts[0], parts[1], parts[4], parts.at(-1)]).toEqual([
    [3, 25],
    [1, 7],
    [3, 30],
    [4, 40],
  ]);
  expect(parts.flat().reduce((sum, n) => sum + n)).toBe(11 + 102);
});

const accounts = existsSync('/proc/self/smaps_rollup');
if (!accounts) console.warn('SKIPPED the test that stops a profile: it needs /proc, which Linux has');

test.skipIf(!accounts)('a profile that is stopped stops its servers', async () => {
  const stopping = new AbortController();
  const stopped = new Error('stopped');
  let begun = 0;
  const begin = () => {
    begun += 1;
    stopping.abort(stopped);
  };
  await expect(profile(['long-poll'], 1_000, begin, stopping.signal)).rejects.toBe(stopped);
  expect(begun).toBe(1); // in the first step
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const servers = children.filter((pid) => pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('probe.mjs'));
  expect(servers).toEqual([]);
});
