import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, it, vi } from 'vitest';
import { openEngine } from './own-engine.js';
import { CHECKOUT } from './own-server.js';

const printed = vi.spyOn(console, 'log').mockImplementation(() => {});

it('starts an engine, says which, and stops it with all that it holds', async ({ skip }) => {
  const engine = await openEngine();
  if (!engine) return skip(String(printed.mock.lastCall));
  expect(printed.mock.lastCall?.[0]).toMatch(/^Engine: .*(valkey|redis)-server, which this notebook has started/);
  expect(await answers(engine.url)).toBe(true);
  await engine.stop();
  await goneFrom(engine.url);
  expect(existsSync(dirname(engine.data))).toBe(false);
}, 60_000);

it('ends the engine when the kernel is killed outright', async ({ skip }) => {
  const script = `
    import('${join(CHECKOUT, 'notebooks/instruments/own-engine.ts')}').then(async ({ default: { openEngine } }) => {
      process.stdout.write('url ' + (await openEngine())?.url + '.\\n');
      setInterval(() => {}, 1_000);
    });`;
  const kernel: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: CHECKOUT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const text of kernel.stdout!) {
    said += text;
    if (said.includes('.\n')) break;
  }
  const [, url] = /url (\S+)\.\n/.exec(said) as unknown as [string, string];
  if (url === 'undefined') return skip('no engine was found');
  expect(await answers(url)).toBe(true);
  kernel.kill('SIGKILL');
  await once(kernel, 'exit');
  await goneFrom(url);
}, 60_000);

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

/** Resolves when nobody answers there any more. */
async function goneFrom(url: string): Promise<void> {
  while (await answers(url)) await sleep(50);
}
