import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authorize } from './access.js';
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

it('tells the access token to no program that has the port of a server that is gone', async () => {
  const seen: IncomingHttpHeaders[] = [];
  const other = createServer(({ headers }, response) => {
    seen.push(headers);
    response.end(JSON.stringify({ status: 'ok', httpsUrl: 'https://localhost', tokenHash: 'x', proof: 'x' }));
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const state = join(folder, 'stale.json');
  await writeFile(
    state,
    JSON.stringify({ url, httpsUrl: 'https://127.0.0.1:1', token: 'x', accessToken: 'y'.repeat(16) }),
  );
  // An earlier server at this place had the token; a request after it is found gone does not.
  authorize([url], 'y'.repeat(16));
  expect(await fromCheckout(state)).toBeNull();
  await (await fetch(url)).text();
  other.close();
  expect(seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
});

it('takes a server of others that wants a token of its own for none of the course', async () => {
  const other = createServer((_, response) => response.writeHead(401).end()).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  await expect(fromEnvironment({ POLLING_LAB_URL: url })).rejects.toThrow('no server of this course answers there');
  other.close();
});

it('finds the running server by its state file', async () => {
  const state = join(folder, 'running.json');
  const data = join(folder, 'data');
  const access = ['--access-token', 'a-class-of-learners_0123'];
  const args = ['--import', 'tsx', 'server/main.ts', '--port', '0', '--data', data, '--state', state, '--ignore-env'];
  const child = spawn(process.execPath, [...args, ...access], {
    cwd: CHECKOUT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [ready] = await once(child.stdout, 'data');
  const url = /^ready (\S+)/.exec(String(ready))?.[1];
  const httpsUrl = expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(await fromCheckout(state)).toEqual({ url, httpsUrl, origin: 'checkout' });
  expect((await fetch(`${url}/jobs`)).status).toBe(200);
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

it('keeps the data folder that its starter named, and removes the one that it made', async () => {
  const data = join(folder, 'kept');
  const script = `
    import('${join(CHECKOUT, 'notebooks/instruments/own-server.ts')}').then(async ({ default: { startServer } }) => {
      const args = [{ data: ${JSON.stringify(data)} }, {}];
      const servers = await Promise.all(args.map((flags) => startServer(flags)));
      process.exit(servers.length === 2 ? 0 : 1);
    });`;
  await mkdir(data);
  await writeFile(join(data, 'mine.txt'), 'kept');
  const kernel = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: CHECKOUT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  expect(await once(kernel, 'exit')).toEqual([0, null]);
  expect(await readFile(join(data, 'mine.txt'), 'utf8')).toBe('kept');
  expect(
    (await readdir(join(CHECKOUT, '.polling-lab', 'kernels'))).filter((name) => name.startsWith(`${kernel.pid}-`)),
  ).toEqual([]);
}, 60_000);

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
