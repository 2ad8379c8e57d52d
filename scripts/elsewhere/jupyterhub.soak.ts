// The course behind a JupyterHub from PyPI, with its proxy from npm, for two users at once.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, start } from '../shared/child.mjs';
import { findBrowser } from '../shared/find-program.mjs';
import { launchBrowser } from '../shared/launch-browser.js';
import { tryPort } from '../shared/ports.mjs';
import { run } from '../shared/run.js';
import { borrowedCheckout } from '../test/borrow.js';
import { LabPage } from '../test/lab-page.js';
import { need } from '../test/need.js';

const PATIENCE = { timeout: 120_000 };
const INSTALL_MS = 600_000;
const USERS = ['ada', 'grace'];
const NOTEBOOK = '03-short-polling.ipynb';
/** The Tornado of repo2docker's images, which keeps back a body that comes neither in chunks nor with its length. */
const PYTHON_PACKAGES = ['jupyterhub==6.1.1', 'jupyterlab==4.6.6', 'jupyter-server-proxy==4.6.0', 'tornado==6.5.2'];
/** A Hub has a name of its own, which is no loopback name. */
const HUB = 'hub.example';

const executablePath = findBrowser();
const checkouts = new Map<string, ReturnType<typeof borrowedCheckout>>();
let work: string;
let hub: Running;
let url: string;
let browser: Browser | undefined;

async function must(command: string[], cwd = work): Promise<void> {
  const { exitCode, stdall } = await run(command, { cwd });
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed:\n${stdall}`);
}

describe('behind JupyterHub', () => {
  beforeAll(async () => {
    if (!executablePath) return;
    work = realpathSync(mkdtempSync(join(tmpdir(), 'polling-lab-hub-')));
    for (const user of USERS) checkouts.set(user, borrowedCheckout());
    const [first] = checkouts.values();
    const venv = join(work, 'venv');
    await must([first!.python, '-m', 'venv', venv]);
    await Promise.all([
      must([join(venv, 'bin', 'pip'), 'install', '--quiet', ...PYTHON_PACKAGES]),
      must(['npm', 'install', '--prefix', work, '--no-audit', '--no-fund', 'configurable-http-proxy@5.3.0']),
    ]);
    await must([process.execPath, join(first!.root, 'scripts', 'setup.mjs'), '--into', venv], first!.root);

    const port = await tryPort();
    url = `http://${HUB}:${port}`;
    const where = {
      work,
      venv,
      name: HUB,
      port,
      hubPort: await tryPort(),
      apiPort: await tryPort(),
      proxy: join(work, 'node_modules', '.bin', 'configurable-http-proxy'),
      checkouts: Object.fromEntries([...checkouts].map(([user, { root }]) => [user, root])),
    };
    const { POLLING_LAB_URL: _unset, ...env } = process.env;
    hub = start(join(venv, 'bin', 'jupyterhub'), ['--config', join(import.meta.dirname, 'jupyterhub_config.py')], {
      cwd: work,
      env: { ...env, PATH: `${join(venv, 'bin')}:${env.PATH}`, POLLING_LAB_HUB: JSON.stringify(where) },
    });
    let over = false;
    void hub.ended.then(() => {
      over = true;
    });
    const answers = () => fetch(`http://127.0.0.1:${port}/hub/health`).catch(() => null);
    while (!(await answers())?.ok) {
      if (over) throw new Error(hub.said());
      await sleep(200);
    }
    browser = await launchBrowser(executablePath, [`--host-resolver-rules=MAP ${HUB} 127.0.0.1`]);
  }, INSTALL_MS);
  afterAll(async () => {
    await browser?.close();
    await hub?.stop();
    for (const copy of checkouts.values()) copy.remove();
    if (work) rmSync(work, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }, INSTALL_MS);

  test('two users run a notebook, each with a server of their own, and see its page through the proxy', {
    timeout: INSTALL_MS,
  }, async (context) => {
    need(context, browser, 'Chromium, Chrome or Edge (CHROME_PATH names one)');
    const servers = await Promise.all(USERS.map(lesson));
    expect(new Set(servers).size).toBe(USERS.length);
  });
});

/** A user logs in, runs a notebook, and looks at its traffic. Resolves with the URL of the server that the notebook used. */
async function lesson(user: string): Promise<string> {
  const context = await browser!.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE.timeout);
  await page.goto(`${url}/hub/login`);
  await page.fill('#username_input', user);
  await page.fill('#password_input', 'any');
  await page.click('#login_submit');
  await page.waitForURL(`**/user/${user}/lab**`, PATIENCE);
  const lab = new LabPage(page);
  await lab.open(`${url}/user/${user}/lab/tree/notebooks/${NOTEBOOK}`);
  await lab.runAll();
  expect(await lab.errors.allInnerTexts()).toEqual([]);
  expect(await lab.charts.count()).toBeGreaterThan(0);

  const trial = "await (await import('./instruments/index.js')).inYourTab({});";
  const tried = await lab.insertBelow(lab.cells.last(), trial);
  await lab.run(tried);
  await tried.locator('.jp-OutputArea-output', { hasText: 'Not behind a JupyterHub' }).waitFor(PATIENCE);

  // Its text also when it is scrolled out of view, where this Lab does not render it.
  const said = await lab.cells.first().locator('.jp-OutputArea-output').textContent();
  const [, server = '', port = ''] = /Server: (http:\/\/127\.0\.0\.1:(\d+))/.exec(said ?? '') ?? [];
  const monitor = await context.newPage();
  await monitor.goto(`${url}/user/${user}/proxy/${port}/`);
  await monitor.locator('#state[data-state=live]').waitFor(PATIENCE);
  await expect.poll(() => monitor.locator('#requests tr').count(), PATIENCE).toBeGreaterThan(0);
  await context.close();
  return server;
}
