import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { launchServer, serverCommand } from '../shared/launch-server.js';
import { Problem } from '../shared/problem.mjs';

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
  const child = launchServer(serverCommand(checkout, ['--data', data]), {
    cwd: checkout,
    env: { POLLING_LAB_RUN: mark },
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
    return { url: await child.ready, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
