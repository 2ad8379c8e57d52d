// @ts-check
// `npm run doctor`: what this machine has, what is missing, and what fixes it. Runs with nothing installed.
import './shared/platform.mjs';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statfsSync } from 'node:fs';
import { release, type } from 'node:os';
import { commands } from './commands.mjs';
import { uvVersion } from './setup/environment.mjs';
import { findPython } from './setup/python.mjs';
import { kernelspecs, labSettings, npmPackages, pythonEnvironment } from './setup/steps.mjs';
import { isAlive } from './shared/child.mjs';
import { runCommand } from './shared/command.mjs';
import { readJson } from './shared/files.mjs';
import { findBrowser, findEngine, findNginx, findProgram } from './shared/find-program.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout, pathsOf } from './shared/paths.mjs';
import { tryPort } from './shared/ports.mjs';

/** What set-up writes, with room for an upload or two. */
const ENOUGH_BYTES = 1024 ** 3;

/**
 * One finding. `ok` null: good to have, the course runs without.
 * @typedef {{ name: string, ok: boolean | null, found: string, fix?: string }} Finding
 */

await runCommand(async () => {
  readFlags(commands.doctor);
  const findings = await look();
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, ok, found, fix } of findings) {
    const mark = ok ? '✓' : ok === null ? '·' : '✗';
    process.stdout.write(`${mark} ${name.padEnd(width)}  ${found}\n`);
    if (!ok && fix) process.stdout.write(`  ${' '.repeat(width)}  → ${fix}\n`);
  }
  const missing = findings.filter(({ ok }) => ok === false);
  const first = missing[0];
  process.stdout.write(first ? `\nNot ready yet. Do this first: ${first.fix}\n` : '\nReady: npm start\n');
  return first ? 1 : 0;
});

/** @returns {Promise<Finding[]>} in the order in which they have to be fixed */
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
      return { name, ok, found: ok ? 'up to date' : 'not installed, or out of date', fix: 'npm run setup' };
    }),
    running('server', paths.state),
    running('JupyterLab', paths.lab),
    await port(4321, 'the server'),
    await port(8888, 'JupyterLab'),
    browser(),
    engine(),
    java(),
    nginx(),
  ];
}

/** @returns {Finding} */
function versionOf(/** @type {string} */ name, /** @type {string} */ fix) {
  const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return status === 0 ? { name, ok: true, found: stdout.trim() } : { name, ok: false, found: 'not found', fix };
}

/** @returns {Finding} */
function python() {
  try {
    const { version, path } = findPython(process.env, uvVersion() !== null);
    return { name: 'Python', ok: true, found: `${version} (${path})` };
  } catch (error) {
    return { name: 'Python', ok: false, found: 'none that will do', fix: /** @type {Error} */ (error).message };
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
      fix: 'clone to a folder of your own',
    };
  }
}

/** @returns {Finding} */
function disk() {
  const { bavail, bsize } = statfsSync(checkout);
  const free = bavail * bsize;
  const found = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
  return { name: 'disk', ok: free > ENOUGH_BYTES, found, fix: 'free 1 GiB of disk space' };
}

/** @returns {Finding} */
function running(/** @type {string} */ name, /** @type {string} */ file) {
  const { url, pid } = readJson(file) ?? {};
  const found = pid && isAlive(pid) ? `running at ${url} (process ${pid})` : 'not running';
  return { name, ok: true, found };
}

/** @returns {Promise<Finding>} */
function port(/** @type {number} */ number, /** @type {string} */ whose) {
  const name = `port ${number}`;
  return tryPort(number).then(
    () => ({ name, ok: true, found: 'free' }),
    () => ({ name, ok: null, found: `taken; ${whose} would take the next free one` }),
  );
}

/** @returns {Finding} */
function engine() {
  const found = findEngine(pathsOf(checkout));
  const fix =
    'npm run setup fetches one; or install one (Debian: sudo apt install redis-server; macOS: brew install valkey)';
  return { name: 'Valkey', ok: found ? true : null, found: found ?? 'none found: "npm run cluster" needs one', fix };
}

/** @returns {Finding} */
function java() {
  const missing = ['java', 'mvn'].filter((name) => findProgram(name) === null);
  const found = missing.length
    ? `${missing.join(' and ')} not found: "npm run kafka" and notebook 10 need them`
    : 'found';
  const fix = 'install both (Debian: sudo apt install default-jre-headless maven; macOS: brew install openjdk maven)';
  return { name: 'Java, Maven', ok: missing.length ? null : true, found, fix };
}

/** @returns {Finding} */
function nginx() {
  const found = findNginx();
  const fix = 'install it (Debian: sudo apt install nginx-light; macOS: brew install nginx)';
  return { name: 'nginx', ok: found ? true : null, found: found ?? 'none found: parts of notebook 13 need it', fix };
}

/** @returns {Finding} */
function browser() {
  const found = findBrowser();
  const fix = 'install Chromium or Chrome (Debian: sudo apt install chromium), or name one with CHROME_PATH';
  const why = 'none found: "npm test" counts the browser tests as skipped';
  return { name: 'Chromium', ok: found ? true : null, found: found ?? why, fix };
}
