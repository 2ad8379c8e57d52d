import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findBrowsers, launch } from './browser.js';
import type { Ledger } from './ledger.js';
import { Listener } from './listener.js';
import { CHECKOUT } from './own-server.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polling-lab-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function program(name: string, script = ''): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

describe('findBrowsers', () => {
  it('finds one of each family, in order of preference', async () => {
    const [firefox, , edge] = await Promise.all(
      ['firefox-esr', 'google-chrome', 'microsoft-edge'].map((name) => program(name)),
    );
    const found = findBrowsers({ PATH: `/nowhere:${folder}` }, 'linux');
    expect(found.map(({ name, family }) => [name, family])).toEqual([
      ['Chrome', 'Chromium'],
      ['Firefox', 'Firefox'],
    ]);
    expect(findBrowsers({ PATH: folder, CHROME_PATH: edge as string }, 'linux')[0]).toMatchObject({
      name: 'Edge',
      path: edge,
    });
    expect(findBrowsers({ PATH: '', FIREFOX_PATH: firefox as string }, 'linux')).toMatchObject([{ path: firefox }]);
    expect(findBrowsers({ PATH: '' }, 'linux')).toEqual([]);
  });

  it('fails, with the remedy, when a variable names no program: it never falls back', () => {
    const env = { PATH: folder, CHROME_PATH: join(folder, 'none') };
    expect(() => findBrowsers(env, 'linux')).toThrow(/^CHROME_PATH is .*none, and there is no program/);
  });
});

it('says what a browser said that ends by itself', async () => {
  const path = await program('chromium', 'echo "no such library" >&2; exit 3');
  const running = await launch({ name: 'Chromium', family: 'Chromium', path }, 'about:blank');
  await expect(running.failed).rejects.toThrow(/has ended. It said: no such library/);
});

const browsers = findBrowsers();
it('finds a browser of this machine, for the tests below', (context) => {
  if (browsers.length > 0) return;
  if (process.env.CI) throw new Error('No Chromium, Chrome, Edge or Firefox found: the tests below need one.');
  console.warn('SKIPPED: Chromium, Chrome, Edge or Firefox is needed');
  context.skip();
});

/** What carries the mark in its environment: processes, with their commands. */
async function marked(mark: string): Promise<string[]> {
  const { PATH } = process.env; // and not the mark
  const ps = spawn('ps', ['axeww', '-o', 'pid=,command='], { env: { PATH }, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of ps.stdout) text += chunk;
  const lines = text.split('\n').filter((line) => line.includes(`${MARK}=${mark}`));
  return lines.map((line) => line.slice(0, 800)); // the command, and some of the environment
}
const MARK = 'POLLING_LAB_TEST_MARK';

/** A folder of temporary files so short that browsers' sockets fit in. */
async function shortFolder(): Promise<string> {
  const path = await mkdtemp('/tmp/t-');
  shortFolders.push(path);
  return path;
}
const shortFolders: string[] = [];
afterAll(() => Promise.all(shortFolders.map((path) => rm(path, { recursive: true, force: true }))));

/** The browsers' folders; other programs have theirs beside them. */
const profiles = async (temporary: string) =>
  (await readdir(temporary)).filter((name) => name.startsWith('polling-lab-browser-'));

/** Resolves when nothing is left of it: no process, no folder, no port. */
async function gone(mark: string, temporary: string, ports: string[]): Promise<void> {
  const listens = (url: string) => fetch(url).then(Boolean, () => false);
  await vi.waitFor(
    async () => {
      expect(await marked(mark)).toEqual([]);
      expect(await profiles(temporary)).toEqual([]);
      expect((await Promise.all(ports.map(listens))).filter(Boolean)).toEqual([]);
    },
    { timeout: 40_000, interval: 200 },
  );
}

describe.each(browsers.map((browser) => [browser.name, browser] as const))('%s', (_, browser) => {
  it('opens a page, and is gone when it is closed, with its profile', async () => {
    const mark = `close-${browser.name}`;
    const temporary = await shortFolder();
    vi.stubEnv('TMPDIR', temporary);
    vi.stubEnv(MARK, mark);
    const listener = await Listener.open<unknown>();
    const page = `<script>fetch('${listener.url}', { method: 'POST', body: '{"here":1}' })</script>`;
    const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(page));
    try {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const running = await launch(browser, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const told = await Promise.race([listener.next(60_000), running.failed]);
      expect(told?.message).toEqual({ here: 1 });
      expect((await marked(mark)).length).toBeGreaterThan(1);
      expect(await profiles(temporary)).toHaveLength(1);
      await running.close();
      await gone(mark, temporary, []);
    } finally {
      vi.unstubAllEnvs();
      listener.close();
      server.close().closeAllConnections();
    }
  }, 120_000);
});

/** Longer than the slowest machine takes: only a test that hangs is ended. */
const LIMIT_MS = 10 * 60_000;

/** What the experiment tells while it goes on: the kernel's process, and the server on which the browser's page is. */
interface InTheMiddle {
  kernel: number;
  url: string;
}

/** A notebook that is never over: it tells when its page has opened all the streams that a browser allows, and holds them open. */
function experimentWithoutEnd(tell: string): string {
  const cells = [
    `import { openBrowser } from ${JSON.stringify(join(CHECKOUT, 'notebooks', 'instruments', 'connections.js'))};
const browser = await openBrowser();`,
    `await browser!.try({ streams: 8 }, { meanwhile: async ({ url }) => {
  const body = JSON.stringify({ kernel: process.pid, url });
  await fetch(${JSON.stringify(tell)}, { method: 'POST', body }); // it is never answered
} });`,
  ].map((source) => ({ cell_type: 'code', source, metadata: {}, outputs: [] }));
  const metadata = { kernelspec: { name: 'tslab', display_name: 'TypeScript' } };
  return JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata, cells });
}

it.skipIf(browsers.length === 0)(
  'leaves no browser, no profile and no port when the notebook is killed in the middle of an experiment',
  async () => {
    const temporary = await shortFolder();
    const mark = 'killed';
    const listener = await Listener.open<InTheMiddle>();
    const notebook = join(folder, 'experiment.ipynb');
    await writeFile(notebook, experimentWithoutEnd(listener.url));
    const flags = ['--cell-timeout', String(LIMIT_MS / 1_000), '--out', join(folder, 'out')];
    const runner = spawn('npm', ['run', '--silent', 'notebooks', '--', ...flags, notebook], {
      cwd: CHECKOUT,
      env: { ...process.env, [MARK]: mark, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    runner.stdout.on('data', (text) => {
      said += text;
    });
    const over = once(runner, 'close');
    const told = await Promise.race([listener.next(LIMIT_MS), over]);
    if (!told || !('message' in told)) throw new Error(`The experiment did not begin. The runner said: ${said}`);
    const { kernel, url } = told.message;
    const seen = await marked(mark);
    // The server on which the page is, and the notebook's port to which the page reports.
    const page = new URL(/https?:\/\/127\S+\/connections\?\S+/.exec(seen.join('\n'))![0]);
    expect(page.origin).toBe(url);
    expect(await profiles(temporary)).not.toEqual([]);
    const report = new URLSearchParams(page.hash.slice(1)).get('report');
    const ports = [page.origin, `http://127.0.0.1:${report}`];
    const { totals } = (await (await fetch(`${url}/traffic`)).json()) as Ledger;
    expect(totals['event-stream'].open).toBe(6);
    const kernels = seen.filter((line) => line.includes('launch.cjs')).map((line) => Number.parseInt(line, 10));
    expect(kernels).toEqual([kernel]);
    process.kill(kernel, 'SIGKILL');
    await over;
    listener.close();
    await gone(mark, temporary, ports);
  },
  LIMIT_MS,
);
