import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive } from './child.mjs';
import { launchServer, serverCommand } from './launch-server.js';
import { checkout } from './paths.mjs';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'polling-lab-launch-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = { cwd: checkout };
const flags = () => ['--data', mkdtempSync(join(folder, 'data-'))];

/** How many of two submitted jobs the server takes. */
async function taken(url: string): Promise<number> {
  const headers = { 'Content-Type': 'application/json' };
  const submit = () => fetch(`${url}/jobs`, { method: 'POST', headers, body: '{ "kind": "manual" }' });
  return [await submit(), await submit()].filter(({ status }) => status === 202).length;
}

test.each([
  ['no setting of the environment, as a rule', false, 2],
  ['the settings of the environment, where that is wanted', true, 1],
])('a server gets %s', async (_, fromEnvironment, jobs) => {
  const command = serverCommand(checkout, [...flags(), ...(fromEnvironment ? ['--port', '0'] : [])], {
    fromEnvironment,
  });
  const server = launchServer(command, { ...at, env: { MAX_JOBS: '1', PORT: 'none' } });
  expect(await taken(await server.ready)).toBe(jobs);
  await server.stop();
  expect(isAlive(server.process.pid!)).toBe(false);
});

test('a server that cannot do what it is asked for says why', async () => {
  const refused = launchServer(serverCommand(checkout, ['--max-jobs', 'many']), at);
  await expect(refused.ready).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/--max-jobs .* got "many"/),
  });
});

test('a server that ends before it is ready is told with its last words, also those in a log', async () => {
  const command = ['sh', '-c', 'echo last words >&2; exit 1'];
  const failed = { exitCode: 1, details: 'last words\n', message: 'The server ended before it was ready.' };
  await expect(launchServer(command, at).ready).rejects.toMatchObject(failed);
  await expect(launchServer(command, { ...at, log: join(folder, 'log') }).ready).rejects.toMatchObject(failed);
});

test('a server that is stopped by a signal before it is ready is no longer there', async () => {
  const stopping = new AbortController();
  const server = launchServer(['sleep', '600'], { ...at, signal: stopping.signal });
  stopping.abort();
  await expect(server.ready).rejects.toThrow('ended before it was ready');
  expect(isAlive(server.process.pid!)).toBe(false);
});
