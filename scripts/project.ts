// What the runner of notebooks has to know of this project: the settings that any project can have.
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kernels as kernelNames } from './runner/notebook.js';
import type { NotebookServer, Settings } from './runner/project.js';
import { launchServer, serverCommand } from './shared/launch-server.js';
import { checkout } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';

/** This project in another folder: a copy of it, say. */
export const projectIn = (root: string) =>
  ({
    root,
    notebooks: ['notebooks'],
    out: join(root, 'build', 'notebooks'),
    metadataKey: 'polling-lab',
    durationsFile: join(root, '.polling-lab', 'notebook-durations.json'),
    markVariable: 'POLLING_LAB_RUN',
    environment: () => environmentOf(root),
    startServer: (data: string, env: Record<string, string>) => startServer(root, data, env),
  }) satisfies Settings;

export const project = projectIn(checkout);

/** The Python environment of a checkout: where set-up put it, or where POLLING_LAB_VENV says. */
function environmentOf(root: string): { python: string; kernels: string } {
  const venv = process.env.POLLING_LAB_VENV ?? join(root, '.polling-lab', 'venv');
  const python = join(venv, 'bin', 'python');
  const kernels = join(venv, 'share', 'jupyter', 'kernels');
  for (const needed of [python, ...kernelNames.map((name) => join(kernels, name, 'kernel.json'))]) {
    if (!existsSync(needed)) throw new Problem(`${needed} is missing. Run "node scripts/setup.mjs" in ${root}.`);
  }
  // Another kernel of that name would be believed, too.
  const launcher = join(root, 'scripts', 'kernel', 'launch.cjs');
  for (const name of kernelNames) {
    const { argv } = JSON.parse(readFileSync(join(kernels, name, 'kernel.json'), 'utf8'));
    if (argv.includes(launcher)) continue;
    throw new Problem(
      `The kernel "${name}" in ${kernels} is not the one of this checkout. Run "node scripts/setup.mjs" in ${root}.`,
    );
  }
  return { python, kernels };
}

/**
 * A course server for one notebook: on a free port, with a data folder that is removed with it. It ends when its stdin
 * does, so it cannot outlive this process, however that ends.
 */
export async function startServer(
  root: string,
  data: string,
  env: Record<string, string>,
): Promise<NotebookServer & Required<Pick<NotebookServer, 'probe'>>> {
  const main = join(root, 'server', 'main.ts');
  if (!existsSync(main)) {
    throw new Problem(`${main} is missing. Notebooks that need no server run with --no-server.`);
  }
  await mkdir(data, { recursive: true });
  const child = launchServer(serverCommand(root, ['--data', data]), { cwd: root, env });
  let stopping = false;
  const stop = async () => {
    stopping = true;
    await child.stop();
    await rm(data, { recursive: true, force: true });
  };
  const ended = new Promise<string>((resolve) => {
    void child.ended.then(() => {
      if (!stopping) resolve(child.said());
    });
  });
  try {
    const url = await child.ready;
    const probe = { file: join(import.meta.dirname, 'ledger_probe.py'), url };
    return { env: { POLLING_LAB_URL: url }, probe, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
