import { createHash } from 'node:crypto';
import { openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { Paths } from '../setup/paths.mjs';
import { type Running, start } from '../shared/child.mjs';
import { Problem } from '../shared/problem.mjs';

const READY_MS = 60_000;

/** The server that already runs in this checkout (`npm run server`); null when none does. */
export async function runningServer(paths: Paths): Promise<string | null> {
  try {
    const { url, token } = JSON.parse(readFileSync(paths.state, 'utf8'));
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) });
    const { tokenHash } = (await response.json()) as { tokenHash: string };
    return tokenHash === createHash('sha256').update(token).digest('hex') ? url : null;
  } catch {
    return null;
  }
}

/** Starts the course's server, which ends when this process does; `ready` resolves with its URL. */
export function startServer(paths: Paths, port: number | undefined): Running & { ready: Promise<string> } {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const main = join(paths.root, 'server', 'main.ts');
  const asked = port === undefined ? [] : ['--port', String(port)];
  const args = ['--import', tsx, main, '--state', paths.state, '--exit-with-stdin', ...asked];
  const child = start(process.execPath, args, {
    cwd: paths.root,
    stdio: ['pipe', 'pipe', openSync(paths.serverLog, 'w')],
  });
  const ready = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new Problem(`The server was not ready after ${READY_MS / 1_000} s. ${paths.serverLog} says more.`, {
            exitCode: 1,
          }),
        ),
      READY_MS,
    );
    void child.ended.then(({ code }) => {
      clearTimeout(timer);
      // What it was asked for and cannot do, it says in a sentence of its own.
      const said = readFileSync(paths.serverLog, 'utf8').trim();
      const exitCode = code === 2 ? 2 : 1;
      reject(
        new Problem(code === 2 ? said : 'The server could not start.', { exitCode, details: code === 2 ? '' : said }),
      );
    });
    createInterface({ input: child.process.stdout! }).on('line', (line) => {
      const url = /^ready (\S+)$/.exec(line)?.[1];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
  ready.catch(() => {}); // who awaits it hears of it
  return { ...child, ready };
}
