import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fromCheckout, fromEnvironment } from './connect.js';
import { CHECKOUT, type OwnServer, startServer } from './own-server.js';

let own: OwnServer;
let folder: string;
beforeAll(async () => {
  own = await startServer();
  folder = await mkdtemp(join(tmpdir(), 'polling-lab-test-'));
}, 60_000);
afterAll(async () => {
  own.process.kill();
  await rm(folder, { recursive: true });
});

/** A port on which nobody listens: it was free a moment ago. */
async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return `http://127.0.0.1:${port}`;
}

it('takes the server that POLLING_LAB_URL names', async () => {
  expect(await fromEnvironment({ POLLING_LAB_URL: `${own.url}/` })).toEqual({
    url: own.url,
    httpsUrl: own.httpsUrl,
    origin: 'environment',
  });
  expect(await fromEnvironment({})).toBeNull();
});

it('fails, with the remedy, when POLLING_LAB_URL names no server: it never falls back', async () => {
  const url = await deadUrl();
  await expect(fromEnvironment({ POLLING_LAB_URL: url })).rejects.toThrow(
    `POLLING_LAB_URL is ${url}, and no server of this course answers there. Start one with "npm run server"`,
  );
});

it('is not fooled by a state file of a server that is gone, or of another one', async () => {
  const state = join(folder, 'state.json');
  expect(await fromCheckout(state)).toBeNull();
  await writeFile(state, 'not JSON');
  expect(await fromCheckout(state)).toBeNull();
  await writeFile(state, JSON.stringify({ url: await deadUrl(), token: 'x' }));
  expect(await fromCheckout(state)).toBeNull();
  await writeFile(state, JSON.stringify({ url: own.url, token: 'not the token of that server' }));
  expect(await fromCheckout(state)).toBeNull();
});

it('finds the running server by its state file', async () => {
  const state = join(folder, 'running.json');
  const data = join(folder, 'data');
  const args = ['--import', 'tsx', 'server/main.ts', '--port', '0', '--data', data, '--state', state, '--ignore-env'];
  const child = spawn(process.execPath, args, {
    cwd: CHECKOUT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [ready] = await once(child.stdout, 'data');
  const url = /^ready (\S+)/.exec(String(ready))?.[1];
  const httpsUrl = expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(await fromCheckout(state)).toEqual({ url, httpsUrl, origin: 'checkout' });
  child.kill();
  await once(child, 'exit');
});

it('lets no setting of the environment steer a server of its own', async () => {
  Object.assign(process.env, { MAX_JOBS: '1', HEARTBEAT_MS: 'soon' });
  try {
    const { url, kill } = await startServer();
    const headers = { 'Content-Type': 'application/json' };
    const submit = () => fetch(`${url}/jobs`, { method: 'POST', headers, body: '{ "kind": "manual" }' });
    expect([(await submit()).status, (await submit()).status]).toEqual([202, 202]);
    await kill();
  } finally {
    delete process.env.MAX_JOBS;
    delete process.env.HEARTBEAT_MS;
  }
});

it("ends a notebook's own server when the kernel is killed outright", async () => {
  const script = `
    import('${join(CHECKOUT, 'notebooks/instruments/own-server.ts')}').then(async ({ default: { startServer } }) => {
      const server = await startServer();
      process.stdout.write(server.url);
      setInterval(() => {}, 1_000);
    });`;
  const kernel: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: CHECKOUT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await once(kernel.stdout!, 'data');
  const url = String(said);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  kernel.kill('SIGKILL');
  await goneFrom(url);
}, 60_000);

/** Resolves when nobody answers there any more. */
async function goneFrom(url: string): Promise<void> {
  while (await fetch(url).then(Boolean, () => false)) await sleep(50);
}
