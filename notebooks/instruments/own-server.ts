import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';

/** The folder of the checkout that these instruments belong to. */
export const CHECKOUT = resolve(__dirname, '..', '..');

/** How long a server may take to get ready, in milliseconds. A loaded machine needs some of it. */
const READY_MS = 30_000;

/** A server that was started here, and how to end it. */
export interface OwnServer {
  url: string;
  /** The same server over TLS, with HTTP/2. */
  httpsUrl: string;
  process: ChildProcess;
  /** Kills it as `kill -9` does: it gets no chance to finish anything. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again with the same ports, data and settings. */
  restart(): Promise<void>;
}

/** Flags of the server, as `npm run server -- --help` names them: `{ 'heartbeat-ms': 200 }`. */
export type ServerFlags = Record<string, string | number>;

/**
 * Starts a server for this kernel alone, on a free port and with a data folder of its own. It ends with the
 * kernel, also when that is killed: it watches its standard input, a pipe whose other end is here.
 *
 * @param flags settings of the server. Default: the server's own defaults.
 * @example const own = await startServer({ 'heartbeat-ms': 200, 'max-events': 50 });
 */
export async function startServer(flags: ServerFlags = {}): Promise<OwnServer> {
  const data = ownFolder();
  const first = await spawnServer({ port: 0, ...flags, data });
  const own: OwnServer = {
    url: first.url,
    httpsUrl: first.httpsUrl,
    process: first.child,
    async kill() {
      if (own.process.exitCode !== null || own.process.signalCode !== null) return;
      const gone = once(own.process, 'exit');
      own.process.kill('SIGKILL');
      await gone;
    },
    async restart() {
      await own.kill();
      const ports = { port: new URL(own.url).port, 'https-port': new URL(own.httpsUrl).port };
      own.process = (await spawnServer({ ...flags, ...ports, data })).child;
    },
  };
  if (started.size === 0) process.once('exit', endAll);
  started.set(own, data);
  return own;
}

/** The servers that were started here, each with its data folder. */
const started = new Map<OwnServer, string>();

function endAll(): void {
  for (const [own, data] of started) {
    own.process.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

async function spawnServer(flags: ServerFlags): Promise<{ url: string; httpsUrl: string; child: ChildProcess }> {
  const given = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const args = ['--import', 'tsx', join('server', 'main.ts'), ...given, '--ignore-env', '--exit-with-stdin'];
  // NODE_OPTIONS was meant for the kernel: a debugger's port, say, which only one process can have.
  const { NODE_OPTIONS, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: CHECKOUT,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const url = await readiness(child, child.stdout, child.stderr);
  // The kernel may end while the server runs: none of these handles keeps it alive.
  child.unref();
  for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as unknown as { unref(): void }).unref();
  const { httpsUrl } = (await (await fetch(`${url}/healthz`)).json()) as { httpsUrl: string };
  return { url, httpsUrl, child };
}

function readiness(child: ChildProcess, stdout: Readable, stderr: Readable): Promise<string> {
  let out = '';
  let said = '';
  return new Promise<string>((ready, failed) => {
    const fail = (what: string) => {
      clearTimeout(timer);
      failed(new Error(`${what} It said: ${said.trim() || 'nothing'}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`The server was not ready after ${READY_MS / 1_000} s.`);
    }, READY_MS);
    child.once('error', (error) => fail(`The server could not be started: ${error.message}.`));
    child.once('exit', (code, signal) => {
      // 2: it was asked for what it does not know, or cannot be done.
      if (code === 2) fail('The server does not take these settings ("npm run server -- --help" lists them).');
      else fail(`The server ended immediately (${signal ?? `exit code ${code}`}).`);
    });
    stderr.on('data', (text) => {
      said = (said + text).slice(-2_000);
    });
    stdout.on('data', (text) => {
      out = (out + text).slice(-2_000);
      const line = /^ready (\S+)$/m.exec(out);
      if (!line) return;
      clearTimeout(timer);
      ready(line[1] as string);
    });
  });
}

/** A data folder named after this process. What killed kernels left behind goes first. */
function ownFolder(): string {
  const folder = join(CHECKOUT, '.polling-lab', 'kernels');
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (!isAlive(Number.parseInt(name, 10))) rmSync(join(folder, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(folder, `${process.pid}-`));
}

/** Whether a process of this id runs. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
