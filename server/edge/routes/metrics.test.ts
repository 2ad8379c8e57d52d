import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { App } from '../../app.js';
import { eventually } from '../../conformance/within.js';
import { readSettings } from '../../settings.js';
import { http1Server } from '../http/http1.js';
import { readMetrics } from './metrics.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let data: string;
let app: App;
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'polling-lab-metrics-'));
  app = await App.open(readSettings(['--data', data], {})!, '');
});
afterAll(async () => {
  app.stop();
  await app.close();
  await rm(data, { recursive: true });
});

test('they are told while clients leave as much unread as may be', async () => {
  const server = http1Server(app.settings, app.handle, app.connections.owes).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const unread = 100 * 1024 ** 2;
  app.connections.account(unread);
  const leave = new AbortController();
  const large = fetch(`http://127.0.0.1:${port}/traffic`, { signal: leave.signal });
  large.catch(() => {});
  await eventually(async () => app.connections.waitingForTurns === 1 || undefined, 'the ledger to be asked for');
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(await answer.text()).toContain('polling_lab_requests_total');
  expect(app.connections.waitingForTurns).toBe(1); // nothing was taken meanwhile
  leave.abort();
  app.connections.account(-unread);
  server.closeAllConnections();
  await once(server.close(), 'close');
});

test('they are collected once for all requests of a turn of the event loop', async () => {
  const metrics = vi.spyOn(Registry.prototype, 'metrics');
  const answers: string[] = [];
  const send = (_status: number, _type: string, text: string) => answers.push(text);
  const exchange = { context: app, accepts: () => 'text/plain', send } as never;
  await Promise.all(Array.from({ length: 100 }, () => readMetrics.answer(exchange)));
  expect([answers.length, metrics.mock.calls.length]).toEqual([100, 1]);
  await readMetrics.answer(exchange);
  expect(metrics).toHaveBeenCalledTimes(2);
});
