// @ts-check
// `npm run doctor`: what this machine has, what is missing, and what mends it. Runs with nothing installed.
import './shared/platform.mjs';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { release, type } from 'node:os';
import { commands } from './commands.mjs';
import { findPython } from './setup/python.mjs';
import { kernelspecs, labSettings, npmPackages, pythonEnvironment, uvVersion } from './setup/steps.mjs';
import { isAlive } from './shared/child.mjs';
import { runCommand } from './shared/command.mjs';
import { findBrowser } from './shared/find-browser.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout, pathsOf } from './shared/paths.mjs';

/** What set-up writes, with room for an upload or two. */
const ENOUGH_BYTES = 1024 ** 3;

/**
 * One finding. `ok` null: good to have, the course runs without.
 * @typedef {{ name: string, ok: boolean | null, found: string, mend?: string }} Finding
 */

await runCommand(async () => {
  readFlags(commands.doctor);
  const findings = await look();
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, ok, found, mend } of findings) {
    const mark = ok ? '✓' : ok === null ? '·' : '✗';
    process.stdout.write(`${mark} ${name.padEnd(width)}  ${found}\n`);
    if (!ok && mend) process.stdout.write(`  ${' '.repeat(width)}  → ${mend}\n`);
  }
  const missing = findings.filter(({ ok }) => ok === false);
  const first = missing[0];
  process.stdout.write(first ? `\nNot ready yet. Do this first: ${first.mend}\n` : '\nReady: npm start\n');
  return first ? 1 : 0;
});

/** @returns {Promise<Finding[]>} what must be mended first comes first */
async function look() {
  const paths = pathsOf(checkout);
  return [
    { name: 'system', ok: true, found: `${type()} ${release()}, ${process.arch}` },
    { name: 'Node', ok: true, found: `${process.versions.node} (${process.execPath})` },
    versionOf('npm', 'install npm, which comes with Node (nodejs.org)'),
    python(),
    { name: 'uv', ok: null, found: uvVersion() ?? 'none: pip does it, more slowly' },
    folder(),
    disk(),
    ...[npmPackages, pythonEnvironment, kernelspecs, labSettings].map((step) => {
      const { name, isDone } = step(paths);
      const ok = isDone();
      return { name, ok, found: ok ? 'up to date' : 'not installed, or out of date', mend: 'npm run setup' };
    }),
    running('server', paths.state),
    running('JupyterLab', paths.lab),
    await port(4321, 'the server'),
    await port(8888, 'JupyterLab'),
    browser(),
  ];
}

/** @returns {Finding} */
function versionOf(/** @type {string} */ name, /** @type {string} */ mend) {
  const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return status === 0 ? { name, ok: true, found: stdout.trim() } : { name, ok: false, found: 'not found', mend };
}

/** @returns {Finding} */
function python() {
  try {
    const { version, path } = findPython(process.env, uvVersion() !== null);
    return { name: 'Python', ok: true, found: `${version} (${path})` };
  } catch (error) {
    return { name: 'Python', ok: false, found: 'none that will do', mend: /** @type {Error} */ (error).message };
  }
}

/** @returns {Finding} */
function folder() {
  try {
    accessSync(checkout, constants.W_OK);
    return { name: 'this folder', ok: true, found: checkout };
  } catch {
    return {
      name: 'this folder',
      ok: false,
      found: `${checkout} cannot be written`,
      mend: 'clone to a folder of your own',
    };
  }
}

/** @returns {Finding} */
function disk() {
  const { bavail, bsize } = statfsSync(checkout);
  const free = bavail * bsize;
  const found = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
  return { name: 'disk', ok: free > ENOUGH_BYTES, found, mend: 'free 1 GiB of disk space' };
}

/** @returns {Finding} */
function running(/** @type {string} */ name, /** @type {string} */ file) {
  try {
    const { url, pid } = JSON.parse(readFileSync(file, 'utf8'));
    if (isAlive(pid)) return { name, ok: true, found: `running at ${url} (process ${pid})` };
  } catch {
    // none
  }
  return { name, ok: true, found: 'not running' };
}

/** @returns {Promise<Finding>} */
function port(/** @type {number} */ number, /** @type {string} */ whose) {
  const probe = createServer();
  return new Promise((resolve) => {
    const name = `port ${number}`;
    probe.once('error', () => resolve({ name, ok: null, found: `taken; ${whose} would take the next free one` }));
    probe.listen(number, '127.0.0.1', () => probe.close(() => resolve({ name, ok: true, found: 'free' })));
  });
}

/** @returns {Finding} */
function browser() {
  const found = findBrowser();
  const mend = 'install Chromium or Chrome (Debian: sudo apt install chromium), or name one with CHROME_PATH';
  const why = 'none found: "npm test" counts the browser tests as skipped';
  return { name: 'Chromium', ok: found ? true : null, found: found ?? why, mend };
}
