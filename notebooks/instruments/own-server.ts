import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { authorize } from './access.js';

/** The folder of the checkout that these instruments belong to. */
export const CHECKOUT = resolve(__dirname, '..', '..');

/** How long a program may take to get ready, in milliseconds, unless it is given more. A loaded machine needs some of it. */
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

/** Flags of the server, as `npm run server -- --help` names them: `{ 'heartbeat-ms': 200 }`. Servers that share an engine share `data`. */
export type ServerFlags = Record<string, string | number>;

/**
 * Starts a server for this kernel alone, on a free port and with a data folder of its own, unless `data` names one, which
 * is kept. It ends with the kernel, also when that is killed: it watches its standard input, a pipe whose other end is here.
 *
 * @param flags settings of the server. Default: the server's own defaults.
 * @example const own = await startServer({ 'heartbeat-ms': 200, 'max-events': 50 });
 */
export async function startServer(flags: ServerFlags = {}): Promise<OwnServer> {
  const made = flags.data === undefined ? ownFolder() : null;
  const data = made ?? String(flags.data);
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
  started.set(own, made);
  return own;
}

/** The servers that were started here, each with the data folder that was made for it; null where its starter named one. */
const started = new Map<OwnServer, string | null>();

function endAll(): void {
  for (const [own, made] of started) {
    own.process.kill('SIGKILL');
    if (made) rmSync(made, { recursive: true, force: true });
  }
}

async function spawnServer(flags: ServerFlags): Promise<{ url: string; httpsUrl: string; child: ChildProcess }> {
  const given = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const args = [join('server', 'main.ts'), ...given, '--ignore-env', '--exit-with-stdin'];
  const { child, ready: url } = await startProgram('server', args).catch((error: NotStarted) => {
    // 2: it was asked for what it does not know, or cannot be done.
    if (error.exitCode !== 2) throw error;
    const remedy = '"npm run server -- --help" lists them';
    throw new Error(`The server does not take these settings (${remedy}). It said: ${error.said}`);
  });
  const token = flags['access-token'];
  if (token) authorize([url], String(token));
  const { httpsUrl } = (await (await fetch(`${url}/healthz`)).json()) as { httpsUrl: string };
  if (token) authorize([httpsUrl], String(token));
  return { url, httpsUrl, child };
}

/** A program that ended before it was ready, or was not ready in time. */
export class NotStarted extends Error {
  constructor(
    what: string,
    /** The last that it wrote to stderr. */
    readonly said: string,
    /** Its exit code; null if it had none. */
    readonly exitCode: number | null = null,
  ) {
    super(`${what} It said: ${said || 'nothing'}`);
  }
}

/** A program that runs, and what stood in its line `ready …`. */
export interface Program {
  child: ChildProcess;
  ready: string;
}

/**
 * Starts a program of this checkout, in TypeScript, and waits for its line `ready …` on stdout. The program has to end when its
 * standard input does, as it does when this kernel ends.
 *
 * @param what what it is called in errors: `server`.
 * @param readyMs how long it may take, in milliseconds. Default: 30 s.
 * @throws NotStarted if it ends before, or is not ready by then, when it is killed.
 */
export async function startProgram(what: string, args: string[], readyMs = READY_MS): Promise<Program> {
  // NODE_OPTIONS was meant for the kernel: a debugger's port, say, which only one process can have.
  const { NODE_OPTIONS, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd: CHECKOUT,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ready = await readiness(what, child, child.stdout, child.stderr, readyMs);
  // The kernel may end while the program runs: none of these handles keeps it alive.
  child.unref();
  for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as unknown as { unref(): void }).unref();
  return { child, ready };
}

function readiness(
  what: string,
  child: ChildProcess,
  stdout: Readable,
  stderr: Readable,
  readyMs: number,
): Promise<string> {
  let out = '';
  let said = '';
  return new Promise<string>((ready, failed) => {
    const fail = (how: string, code: number | null = null) => {
      clearTimeout(timer);
      failed(new NotStarted(`The ${what} ${how}.`, said.trim(), code));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`was not ready after ${readyMs / 1_000} s`);
    }, readyMs);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    // Its pipes have ended, too: all that it said is here.
    child.once('close', (code, signal) => fail(`ended immediately (${signal ?? `exit code ${code}`})`, code));
    stderr.on('data', (text) => {
      said = (said + text).slice(-2_000);
    });
    stdout.on('data', (text) => {
      out = (out + text).slice(-2_000);
      const line = /^ready (.+)$/m.exec(out);
      if (!line) return;
      clearTimeout(timer);
      ready(line[1] as string);
    });
  });
}

/** Closes the stdin of a program that ends with it. Resolves when it is gone. */
export async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.stdin?.end();
  await gone;
}

/** A data folder named after this process. What killed kernels left behind goes first. */
export function ownFolder(): string {
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
