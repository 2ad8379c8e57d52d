import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, start } from '../shared/child.mjs';
import { readJson, writeWhole } from '../shared/files.mjs';
import type { Paths } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import type { CourseServer } from './course-server.js';

const READY_MS = 120_000;
const LOOK_MS = 25;

/** A JupyterLab that runs, as `.polling-lab/lab.json` tells of it. */
export interface Lab {
  /** With a slash at the end. */
  url: string;
  token: string;
  port: number;
  pid: number;
}

export interface LabOptions {
  port: number | undefined;
  /** The notebook to open, from the checkout's root. */
  notebook: string;
}

/** The JupyterLab that already runs in this checkout; null when none does. */
export async function runningLab(paths: Paths): Promise<Lab | null> {
  const lab = readJson(paths.lab) as Lab | null;
  return lab && (await answers(lab)) ? lab : null;
}

async function answers({ url, token }: Lab): Promise<boolean> {
  const headers = { Authorization: `token ${token}` };
  const asked = fetch(`${url}api/status`, { headers, signal: AbortSignal.timeout(5_000) });
  return asked.then(
    ({ ok }) => ok,
    () => false,
  );
}

/**
 * Starts JupyterLab, which ends when this process does. It loads its modules, and then waits until `tell` gives it the
 * server's URL and, where it has one, its access token.
 */
export function startLab(paths: Paths, options: LabOptions): Running & { tell(server: CourseServer): Promise<Lab> } {
  const runtime = join(paths.jupyter, 'runtime');
  const script = join(import.meta.dirname, 'lab.py');
  const child = start(paths.python, [script, ...labFlags(paths, options)], {
    cwd: paths.root,
    env: labEnvironment(paths, runtime),
    log: paths.labLog,
    stdio: ['pipe', 'log', 'log'],
  });
  const tell = async ({ url, accessToken = '' }: CourseServer): Promise<Lab> => {
    child.process.stdin!.write(`${url} ${accessToken}\n`);
    // Jupyter writes this file just before it listens, so it is asked as well.
    const file = join(runtime, `jpserver-${child.process.pid}.json`);
    let over = false;
    const ended = child.ended.then(() => {
      over = true;
      throw new Problem('JupyterLab could not start.', { exitCode: 1, details: child.said() });
    });
    const listening = async () => {
      const began = performance.now();
      while (!over && performance.now() - began < READY_MS) {
        const lab = readJson(file) as Lab | null; // null: not there, or half written
        if (lab && (await answers(lab))) return { url: lab.url, token: lab.token, port: lab.port, pid: lab.pid };
        await sleep(LOOK_MS);
      }
      throw new Problem(`JupyterLab was not ready after ${READY_MS / 1_000} s. ${paths.labLog} says more.`, {
        exitCode: 1,
      });
    };
    const lab = await Promise.race([ended, listening()]);
    writeWhole(paths.lab, `${JSON.stringify(lab)}\n`, 0o600); // the token lets its holder run code
    void child.ended.then(() => rmSync(paths.lab, { force: true }));
    return lab;
  };
  return { ...child, tell };
}

/** The URL of a notebook in a running Lab. Its token lets in a browser that has no cookie yet. */
export function notebookUrl({ url, token }: Lab, notebook: string): string {
  const path = notebook.split('/').map(encodeURIComponent).join('/');
  return `${url}lab/tree/${path}?token=${token}`;
}

function labFlags(paths: Paths, { port, notebook }: LabOptions): string[] {
  const asked = port === undefined ? [] : [`--ServerApp.port=${port}`, '--ServerApp.port_retries=0'];
  return [
    `--ServerApp.root_dir=${paths.root}`,
    `--LabApp.default_url=/lab/tree/${notebook.split('/').map(encodeURIComponent).join('/')}`,
    '--ServerApp.ip=127.0.0.1',
    ...asked,
    '--ServerApp.open_browser=False', // `openBrowser` does, when the page is there to be seen
    '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate',
    '--LabApp.extension_manager=readonly',
    `--LabServerApp.extra_labextensions_path=${join(import.meta.dirname, 'labextensions')}`,
    ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
  ];
}

/** Jupyter keeps its files inside the checkout, and uses none that a person has elsewhere. */
function labEnvironment(paths: Paths, runtime: string): NodeJS.ProcessEnv {
  const foreign = /^(npm_|JUPYTER_(PATH|CONFIG_PATH)$|PYTHON(HOME|PATH|STARTUP)$|VIRTUAL_ENV$)/;
  const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return {
    ...Object.fromEntries(inherited),
    PATH: `${join(paths.venv, 'bin')}:${process.env.PATH}`,
    VIRTUAL_ENV: paths.venv,
    JUPYTER_CONFIG_DIR: join(paths.jupyter, 'config'),
    JUPYTER_DATA_DIR: join(paths.jupyter, 'data'),
    JUPYTER_RUNTIME_DIR: runtime,
    JUPYTERLAB_SETTINGS_DIR: join(paths.jupyter, 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: join(paths.jupyter, 'workspaces'),
    JUPYTER_PREFER_ENV_PATH: '1',
    IPYTHONDIR: join(paths.jupyter, 'ipython'),
    PYTHONUNBUFFERED: '1',
  };
}

/**
 * Takes the notebooks and consoles that were open off JupyterLab's saved workspaces: it would open every one of them again and
 * start a kernel for each, when only one was asked for. The rest of the reader's layout stays, as do open texts. A name in the
 * layout that leads to nothing any more is passed over by JupyterLab.
 */
export function forgetOpenNotebooks(paths: Paths): void {
  const workspaces = join(paths.jupyter, 'workspaces');
  const names = existsSync(workspaces) ? readdirSync(workspaces) : [];
  for (const name of names.filter((name) => name.endsWith('.jupyterlab-workspace'))) {
    const file = join(workspaces, name);
    const { data, ...rest } = (readJson(file) ?? {}) as { data?: Record<string, unknown> }; // null: not JSON
    const kept = Object.entries(data ?? {}).filter(([key]) => !/^(notebook|console):/.test(key));
    if (kept.length < Object.keys(data ?? {}).length) {
      writeWhole(file, JSON.stringify({ ...rest, data: Object.fromEntries(kept) }));
    }
  }
}

/** Removes what servers that were killed left behind. The cookie secret stays: a tab left open works on. */
export function sweepRuntime(paths: Paths): void {
  const runtime = join(paths.jupyter, 'runtime');
  mkdirSync(runtime, { recursive: true });
  for (const name of readdirSync(runtime)) {
    if (/^(jpserver|kernel)-/.test(name)) rmSync(join(runtime, name), { force: true });
  }
  rmSync(paths.lab, { force: true });
}
