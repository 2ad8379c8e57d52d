import os from 'node:os';
import { join } from 'node:path';
import { readJson } from '../shared/files.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { run } from '../shared/run.js';

/** When, on what and with what the course was measured. */
export interface About {
  /** In UTC: `2026-11-25`. */
  date: string;
  machine: string;
  /** Name and version, the course itself first. */
  versions: string[];
}

const PACKAGES = ['tslab', 'vega', 'vega-lite', 'node-fetch', 'eventsource'];

export async function about(browser: string | null, signal: AbortSignal): Promise<About> {
  return { date: new Date().toISOString().slice(0, 10), machine: machine(), versions: await versions(browser, signal) };
}

function machine(): string {
  const cpus = os.cpus();
  const gibibytes = Math.round(os.totalmem() / 2 ** 30);
  const model = cpus[0]?.model.trim() || os.arch();
  return `${model}, ${cpus.length} cores, ${gibibytes} GiB of memory, ${os.type()} ${os.release()}`;
}

async function versions(browser: string | null, signal: AbortSignal): Promise<string[]> {
  const python = pathsOf(checkout).python;
  /** What a program prints; null where it is missing: without git, say, the list has a version less. */
  const said = async (...command: string[]) => {
    const { exitCode, stdout } = await run(command, { cwd: checkout, signal });
    return exitCode === 0 ? stdout.trim() : null;
  };
  const script =
    'import sys, importlib.metadata as m; print(sys.version.split()[0], m.version("jupyterlab"), m.version("nbconvert"))';
  const [pythonVersion, lab, nbconvert] = (await said(python, '-c', script))?.split(' ') ?? [];
  const named: [string, string | null | undefined][] = [
    ['Polling Lab', versionOf(join(checkout, 'package.json'))],
    ['commit', await said('git', 'describe', '--always', '--dirty')],
    ['Node', process.versions.node],
    ...PACKAGES.map((name): [string, string] => [name, installed(name)]),
    ['TypeScript (of the kernel)', installed('@tslab/typescript-for-tslab')],
    ['Python', pythonVersion],
    ['JupyterLab', lab],
    ['nbconvert', nbconvert],
  ];
  const browserSays = browser && (await said(browser, '--version'));
  const [browserVersion] = browserSays?.match(/^\D+[\d.]+/) ?? [];
  return [
    ...named.flatMap(([name, version]) => (version ? [`${name} ${version}`] : [])),
    ...(browserVersion ? [browserVersion] : []),
  ];
}

const installed = (name: string) => versionOf(join(pathsOf(checkout).nodeModules, name, 'package.json'));

const versionOf = (packageJson: string): string => readJson(packageJson).version;
