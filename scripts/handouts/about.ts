import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { checkout, pathsOf } from '../setup/paths.mjs';

/** When, on what and with what the course was measured. */
export interface About {
  /** In UTC: `2026-11-25`. */
  date: string;
  machine: string;
  /** Name and version, the course itself first. */
  versions: string[];
}

const PACKAGES = ['tslab', 'vega', 'vega-lite', 'node-fetch', 'eventsource'];

export function about(browser: string | null): About {
  return { date: new Date().toISOString().slice(0, 10), machine: machine(), versions: versions(browser) };
}

function machine(): string {
  const cpus = os.cpus();
  const gibibytes = Math.round(os.totalmem() / 2 ** 30);
  const model = cpus[0]?.model.trim() || os.arch();
  return `${model}, ${cpus.length} cores, ${gibibytes} GiB of memory, ${os.type()} ${os.release()}`;
}

function versions(browser: string | null): string[] {
  const python = pathsOf(checkout).python;
  const said = (command: string, args: string[]) => {
    try {
      return execFileSync(command, args, {
        cwd: checkout,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    } catch {
      return null; // no git here, say: a version less
    }
  };
  const script =
    'import sys, importlib.metadata as m; print(sys.version.split()[0], m.version("jupyterlab"), m.version("nbconvert"))';
  const [pythonVersion, lab, nbconvert] = said(python, ['-c', script])?.split(' ') ?? [];
  const named: [string, string | null | undefined][] = [
    ['Polling Lab', versionOf(join(checkout, 'package.json'))],
    ['commit', said('git', ['describe', '--always', '--dirty'])],
    ['Node', process.versions.node],
    ...PACKAGES.map((name): [string, string] => [name, installed(name)]),
    ['TypeScript (of the kernel)', installed('@tslab/typescript-for-tslab')],
    ['Python', pythonVersion],
    ['JupyterLab', lab],
    ['nbconvert', nbconvert],
  ];
  const browserSays = browser && said(browser, ['--version']);
  const [browserVersion] = browserSays?.match(/^\D+[\d.]+/) ?? [];
  return [
    ...named.flatMap(([name, version]) => (version ? [`${name} ${version}`] : [])),
    ...(browserVersion ? [browserVersion] : []),
  ];
}

const installed = (name: string) => versionOf(join(pathsOf(checkout).nodeModules, name, 'package.json'));

function versionOf(packageJson: string): string {
  return JSON.parse(readFileSync(packageJson, 'utf8')).version;
}
