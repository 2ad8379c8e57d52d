// @ts-check
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { Problem } from '../shared/problem.mjs';

/** The oldest that JupyterLab runs on. */
const OLDEST = { major: 3, minor: 10 };
const PROBE_MS = 20_000;
const PROBE = `
import importlib.util, json, sys
has = lambda name: importlib.util.find_spec(name) is not None
print(json.dumps([list(sys.version_info[:3]), sys.executable, has("venv") and has("ensurepip")]))
`;

/** @typedef {{ path: string, version: string, canMakeVenv: boolean }} Python */

/**
 * Finds a Python that the environment can be made with: the one that PYTHON names, else the first that
 * will do of those on the PATH.
 * @param {NodeJS.ProcessEnv} env
 * @param {boolean} withUv uv makes an environment without Python's own venv and ensurepip
 * @param {string} [what] needs it, for the error
 * @returns {Python}
 */
export function findPython(env, withUv, what = 'JupyterLab') {
  const newer = [14, 13, 12, 11, 10].map((minor) => `python3.${minor}`);
  const names = env.PYTHON ? [env.PYTHON] : ['python3', ...newer, 'python'];
  /** @type {Python[]} */
  const seen = [];
  for (const name of names) {
    const python = probe(name, env);
    if (!python) continue;
    if (isNewEnough(python) && (withUv || python.canMakeVenv)) return python;
    seen.push(python);
  }
  throw new Problem(explain(what, env, seen));
}

/** @returns {Python | null} */
function probe(/** @type {string} */ name, /** @type {NodeJS.ProcessEnv} */ env) {
  const { status, stdout } = spawnSync(name, ['-I', '-c', PROBE], {
    encoding: 'utf8',
    env,
    timeout: PROBE_MS,
  });
  if (status !== 0) return null;
  try {
    const [version, path, canMakeVenv] = JSON.parse(stdout);
    return { path: realpathSync(path), version: version.join('.'), canMakeVenv };
  } catch {
    return null;
  }
}

function isNewEnough(/** @type {Python} */ { version }) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor);
}

function explain(/** @type {string} */ what, /** @type {NodeJS.ProcessEnv} */ env, /** @type {Python[]} */ seen) {
  const wanted = `Python ${OLDEST.major}.${OLDEST.minor} or newer`;
  const found = seen.map(({ version, path }) => `${version} (${path})`).join(', ');
  if (env.PYTHON && seen.length === 0)
    return `PYTHON is "${env.PYTHON}", and that is no Python that runs. Name one that does, or unset it.`;
  const newEnough = seen.find(isNewEnough);
  if (newEnough) {
    const { version, path } = newEnough;
    const name = `python${version.split('.').slice(0, 2).join('.')}-venv`;
    return `Python ${version} (${path}) comes without venv. Install it (on Debian and Ubuntu: sudo apt install ${name}), or install uv, then start again.`;
  }
  const remedy = process.platform === 'darwin' ? 'brew install python' : 'sudo apt install python3 python3-venv';
  const got = found ? `got ${found}` : 'found none';
  return `${what} needs ${wanted}, ${got}. Install one (for example: ${remedy}) or name one with PYTHON=/path/to/python3, then start again.`;
}
