import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { start } from '../shared/child.mjs';
import { Problem } from '../shared/problem.mjs';

const READY_MS = 60_000;

export interface Server {
  url: string;
  /** Resolves, with what it last said, if the server ends before it is stopped. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

/**
 * A course server of its own for one notebook: on a free port, with a data folder that is removed with it.
 * It ends when its stdin does, so it cannot outlive this process, however that ends.
 */
export async function startServer(checkout: string, data: string, mark: string): Promise<Server> {
  const main = join(checkout, 'server', 'main.ts');
  if (!existsSync(main)) {
    throw new Problem(`${main} is missing. Notebooks that need no server run with --no-server.`);
  }
  await mkdir(data, { recursive: true });
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  // Flags alone steer this server: the environment's settings were meant for another one.
  const flags = ['--port', '0', '--data', data, '--ignore-env', '--exit-with-stdin'];
  const child = start(process.execPath, ['--import', tsx, main, ...flags], {
    cwd: checkout,
    env: { ...process.env, POLLING_LAB_RUN: mark },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
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
    return { url: await ready(child), ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The URL of its line `ready URL`. */
function ready(child: ReturnType<typeof start>): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => reject(new Problem(`The server ${what}.`, { details: child.said() }));
    const timer = setTimeout(() => fail(`was not ready after ${READY_MS / 1000} s`), READY_MS);
    void child.ended.then(() => {
      clearTimeout(timer);
      fail('ended before it was ready');
    });
    createInterface({ input: child.process.stdout! }).on('line', (line) => {
      const url = /^ready (\S+)$/.exec(line)?.[1];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}
