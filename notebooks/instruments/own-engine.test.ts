import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, expect, it, vi } from 'vitest';
import { openEngine } from './own-engine.js';
import { ifThere } from './own-program.js';
import { CHECKOUT } from './own-server.js';

afterEach(() => void vi.unstubAllEnvs());
const printed = vi.spyOn(console, 'log').mockImplementation(() => {});

it('starts an engine, says which, and stops it with all that it holds', async ({ skip }) => {
  vi.stubEnv('POLLING_LAB_TEST_MARK', 'an engine');
  const engine = await openEngine();
  if (!engine) return skip(String(printed.mock.lastCall));
  expect(printed.mock.lastCall?.[0]).toMatch(
    /^(valkey|redis)-server, at redis:\/\/\S+, which this notebook has started/,
  );
  expect(await answers(engine.url)).toBe(true);
  // A runner finds what its notebooks have left behind by their environment: the engine must not write over its own.
  if (process.platform === 'linux') expect(environmentsOf(new URL(engine.url).port)).toContain('MARK=an engine');
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

it('names each section that it skips, in the form by which npm test counts them', async () => {
  for (const section of ['fencing', 'leases']) expect(await ifThere(null, section, async () => 1)).toBeNull();
  const lines = printed.mock.calls.slice(-2).map(([line]) => line);
  const why = 'needs an engine, and none was found';
  expect(lines).toEqual([`SKIPPED: "fencing" ${why} (1 so far).`, `SKIPPED: "leases" ${why} (2 so far).`]);
});

/** The environments of the engines on a port, without the shells around them. */
function environmentsOf(port: string): string {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const texts = pids.map((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const isEngine = /^\S*(valkey|redis)-server/.test(command) && command.includes(port);
      return isEngine ? readFileSync(`/proc/${pid}/environ`, 'utf8') : '';
    } catch {
      return ''; // it has ended meanwhile
    }
  });
  return texts.join('');
}

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
