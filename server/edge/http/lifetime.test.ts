import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Connections } from './lifetime.js';

test('a client that leaves before its turn is forgotten, also while no large answer may be made', async () => {
  const all = new Connections({ stallMs: 1_000, headTimeoutMs: 1_000 });
  const begin = () => {
    const socket = new EventEmitter();
    const res = Object.assign(new EventEmitter(), { socket });
    return {
      res,
      lifetime: all.begin({ socket, complete: true } as IncomingMessage, res as unknown as ServerResponse),
    };
  };
  const slow = begin().lifetime;
  slow.addUnsent(100 * 1024 ** 2);
  const left = begin();
  const turns: string[] = [];
  void left.lifetime.turn().then(() => turns.push('left'));
  const stays = begin()
    .lifetime.turn()
    .then(() => turns.push('stays'));
  left.res.emit('close');
  await nextTurn();
  expect(all.waitingForTurns).toBe(1);
  slow.took(100 * 1024 ** 2);
  await stays;
  expect([turns, all.waitingForTurns]).toEqual([['stays'], 0]);
  all.stop();
});
