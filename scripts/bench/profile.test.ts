import { expect, test } from 'vitest';
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
