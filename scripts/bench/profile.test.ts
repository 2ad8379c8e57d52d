import { expect, test } from 'vitest';
import { partsOfHeap } from './heap.js';
import { partsOf } from './profile.js';

test('a profile is told by what was on top, without the start and what was idle', () => {
  const frames = [
    ['(idle)', ''],
    ['compile', 'node:internal/modules/esm/loader'],
    ['(garbage collector)', ''],
    ['exec', 'file:///x/node_modules/libsql/index.js'],
    ['touch', 'file:///x/server/edge/ledger.ts'],
    ['wait', 'file:///x/server/core/log/delivery.ts'],
    ['shortPoll', 'file:///x/server/core/techniques/status.ts'],
    ['writev', ''],
  ];
  const nodes = frames.map(([functionName = '', url = ''], id) => ({ id, callFrame: { functionName, url } }));
  const parts = partsOf({
    nodes,
    samples: nodes.map(({ id }) => id),
    timeDeltas: nodes.map(({ id }) => 1_000 * (id + 1)),
  });
  expect(Object.fromEntries(parts)).toEqual({
    'garbage collection': 3,
    'the durable log': 4,
    'the ledger': 5,
    'waiting and delivery': 6,
    'routes, jobs, checks of what is sent': 7,
    "sockets, Node's HTTP and streams": 8,
  });
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
