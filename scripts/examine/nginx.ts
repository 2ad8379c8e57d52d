import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { UNTIL_ORPHANED } from '../cluster/engine.js';
import { type Running, start } from '../shared/child.mjs';
import { startOnPort } from '../shared/ports.mjs';
import { Problem } from '../shared/problem.mjs';
import { open } from './exchange.js';

/** How long nginx may take until it answers, in milliseconds. */
const READY_MS = 20_000;

/** What is to be done where nginx is not found. */
export const NO_NGINX = 'nginx (Debian: apt-get install nginx-light; macOS: brew install nginx)';

/** An nginx that runs. */
export interface Nginx extends Running {
  url: string;
}

/**
 * Starts an nginx on a free port of loopback, as one process that ends with this one; resolves when it answers. All that it writes is
 * in the folder. Error: {@link Problem}, with what nginx said of its configuration.
 *
 * @param server what stands in its block `server`, apart from `listen`.
 * @param listen further parameters of `listen`: `ssl http2`. Default: none.
 */
export function startNginx(program: string, folder: string, server: string, listen = ''): Promise<Nginx> {
  return startOnPort((port) => startOn(port, program, folder, server, listen));
}

async function startOn(port: number, program: string, folder: string, server: string, listen: string): Promise<Nginx> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  const ready = `/ready-${randomUUID()}`;
  // Relative to the folder, whose path may have spaces.
  const kept = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
  writeFileSync(
    file,
    `daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  ${kept.join(' ')}
  server {
    listen 127.0.0.1:${port} ${listen};
    location = ${ready} { return 204; }
    ${server}
  }
}
`,
  );
  const args = ['-c', file, '-p', folder, '-e', 'stderr'];
  const child = start('/bin/sh', ['-c', UNTIL_ORPHANED, program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const secure = /\bssl\b/.test(listen);
  const url = `${secure ? 'https' : 'http'}://127.0.0.1:${port}`;
  const until = performance.now() + READY_MS;
  let ended = false;
  void child.ended.then(() => {
    ended = true;
  });
  while (!(await answers(url + ready))) {
    if (!ended && performance.now() < until) await pause(20);
    else {
      await child.stop();
      const what = ended ? 'ended before it was ready' : `did not answer within ${READY_MS / 1_000} s`;
      throw new Problem(`nginx (${program}) ${what}.`, { exitCode: 1, details: child.said() });
    }
  }
  return { ...child, url };
}

/** Whether this nginx answers there, and not a server of somebody else, who took the port first. */
async function answers(url: string): Promise<boolean> {
  const exchange = await open({ url, insecure: true }, 1_000, () => {}).catch(() => undefined);
  exchange?.close();
  return exchange?.status === 204;
}
