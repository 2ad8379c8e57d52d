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

/** Begins an exchange of HTTP/1.1: the first of its connection, or one that is queued behind it. */
function begin(all: Connections, socket: EventEmitter, isFirst: boolean) {
  const res = Object.assign(new EventEmitter(), { socket: isFirst ? socket : null });
  return all.begin({ socket, complete: true } as unknown as IncomingMessage, res as unknown as ServerResponse);
}

test('answers queued behind one that does not end are dropped under pressure, so that others get their turn', async () => {
  // No answer is dropped for being stalled; only under pressure.
  const all = new Connections({ stallMs: 600_000, headTimeoutMs: 1_000 });
  const socket = new EventEmitter();
  Object.assign(socket, { destroy: () => socket.emit('close') });
  const [held, queued] = [begin(all, socket, true), begin(all, socket, false)];
  queued.addUnsent(100 * 1024 ** 2);
  await begin(all, new EventEmitter(), true).turn();
  expect([held.ended, queued.ended, all.unsent]).toEqual([true, true, 0]);
  all.stop();
});

test('a large answer has its turn, whatever is queued behind it', async () => {
  const all = new Connections({ stallMs: 600_000, headTimeoutMs: 1_000 });
  const socket = new EventEmitter();
  const [first, queued] = [begin(all, socket, true), begin(all, socket, false)];
  queued.addUnsent(100 * 1024);
  await first.turn();
  expect([all.waitingForTurns, all.unsent]).toEqual([0, 100 * 1024]);
  all.stop();
});

test('when too many requests are pipelined, the connection with most of them is closed, and no other one', () => {
  const all = new Connections({ stallMs: 600_000, headTimeoutMs: 1_000 });
  const connect = () => {
    const socket = Object.assign(new EventEmitter(), { destroyed: false });
    return Object.assign(socket, {
      destroy: () => {
        socket.destroyed = true;
        socket.emit('close');
      },
    });
  };
  const [greedy, modest] = [connect(), connect()];
  begin(all, greedy, true);
  for (let n = 0; n < 10_000; n++) begin(all, greedy, false);
  expect(greedy.destroyed).toBe(false);
  begin(all, modest, true);
  begin(all, modest, false);
  expect([greedy.destroyed, modest.destroyed, all.pipelined]).toEqual([true, false, 1]);
  all.stop();
});
