import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, inject, vi } from 'vitest';
import { Client } from './client.js';
import { within } from './within.js';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const probe = new URL('./memory-probe.mjs', import.meta.url).href;
const clock = new URL('./shifted-clock.mjs', import.meta.url).href;

/** Where the tests are aimed (`CONFORMANCE_URL=http://…`); undefined: at this checkout's server, started for the tests. */
export const aimedAt = process.env.CONFORMANCE_URL?.replace(/\/$/, '');

/** Whether they are aimed at several servers on one engine, and every request goes to the next one. */
export const hops = aimedAt?.includes(',') ?? false;
/** Why a test is skipped then that wants an upload to wait for another one. */
export const OWN_QUEUE = 'each server of a cluster has a queue of uploads of its own';

export interface StartOptions {
  /** The data folder; a new temporary one, removed at the end, unless given. */
  data?: string;
  env?: Record<string, string>;
  /** A command that runs the server's, such as `['sh', '-c', 'ulimit -f 100; exec "$@"', 'sh']`. */
  wrapper?: string[];
  /** Lets `memory()` be asked. */
  memoryProbe?: boolean;
  /** Lets its wall clock be set: `shiftClock()`. */
  clock?: boolean;
  /** Starts the source, as a person does, and does without the flags `--port 0` and `--data`. */
  bare?: boolean;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What a server uses: memory in bytes, and what keeps its event loop alive. */
export interface Usage extends NodeJS.MemoryUsage {
  cpuMs: number;
  /** How many there are of each kind: `TCPSocketWrap`, `Timeout`, `FSReqPromise`, say. */
  resources: Record<string, number>;
}

/** A server process of this checkout. */
export class LocalServer {
  url = '';
  stdout = '';
  stderr = '';
  readonly exited: Promise<Exit>;
  #child: ChildProcess;

  /** Starts the process; `ready()` and `exited` say how that goes. */
  constructor(
    flags: string[],
    readonly data: string,
    options: StartOptions = {},
  ) {
    const command = [
      ...(options.wrapper ?? []),
      process.execPath,
      ...(options.memoryProbe ? ['--expose-gc', '--import', probe] : []),
      ...(options.clock ? ['--import', clock] : []),
      ...(options.bare ? ['--import', 'tsx', main] : ['--enable-source-maps', inject('serverBundle')]),
      ...(options.bare ? [] : ['--port', '0', '--data', data]),
      '--exit-with-stdin', // the system closes it when this process ends, however that ends
      ...flags,
    ];
    const [program = '', ...args] = command;
    this.#child = spawn(program, args, {
      cwd: checkout,
      env: { ...cleanEnvironment(), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe', options.memoryProbe || options.clock ? 'ipc' : 'ignore'],
    });
    const child = this.#child;
    const orphaned = () => child.kill('SIGKILL');
    process.once('exit', orphaned);
    child.stdout?.on('data', (text) => {
      this.stdout += text;
    });
    child.stderr?.on('data', (text) => {
      this.stderr = (this.stderr + text).slice(-100_000);
    });
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        process.off('exit', orphaned);
        resolve({ code, signal });
      });
    });
    this.exited.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for the ready line, the first that a server prints. */
  async ready(): Promise<this> {
    const lineThere = new Promise<void>((resolve) => {
      const look = () => this.stdout.includes('\n') && resolve();
      this.#child.stdout?.on('data', look);
      look();
    });
    const gone = this.exited.then(({ code, signal }) => {
      throw new Error(`the server ended (${code ?? signal}) before its ready line: ${this.stderr}`);
    });
    await within(
      Promise.race([lineThere, gone]),
      () => `a ready line; stdout: ${this.stdout}; stderr: ${this.stderr}`,
      180_000,
    );
    const url = /^ready (http:\/\/(?:127\.0\.0\.1|\[::1\]):\d+)\n/.exec(this.stdout)?.[1];
    if (!url) throw new Error(`no ready line: ${this.stdout}`);
    this.url = url;
    return this;
  }

  /** Closes the server's standard input, as the system does when this process is killed. */
  abandon(): void {
    this.#child.stdin?.destroy();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills the server with SIGKILL, and resolves when it is gone. */
  async crash(): Promise<void> {
    this.kill('SIGKILL');
    await this.exited;
  }

  /** SIGTERM; a server that does not then exit with 0 fails the test that stops it. */
  async stop(): Promise<void> {
    this.kill('SIGTERM');
    try {
      const { code, signal } = await within(this.exited, 'the server to exit', 30_000);
      if (code !== 0) throw new Error(`the server exited with ${code ?? signal}`);
    } catch (error) {
      this.kill('SIGKILL');
      throw new Error(`${(error as Error).message}; its stderr:\n${this.stderr}`);
    }
  }

  /** What is in use after a full garbage collection (needs `memoryProbe`). */
  memory(): Promise<Usage> {
    return this.#ask('memory');
  }

  /** Processor time since it started, in milliseconds (needs `memoryProbe`). */
  async cpuMs(): Promise<number> {
    return (await this.#ask('cpu')).cpuMs;
  }

  /** Sets the server's wall clock forward, or back (needs `clock`). */
  async shiftClock(shiftMs: number): Promise<void> {
    const shifted = new Promise<void>((resolve) => this.#child.once('message', () => resolve()));
    this.#child.send({ shiftMs });
    await within(shifted, "the server's clock to be set");
  }

  #ask(what: string): Promise<Usage> {
    const answer = new Promise<Usage>((resolve) => this.#child.once('message', (usage) => resolve(usage as Usage)));
    this.#child.send(what);
    return within(answer, `the server's ${what}`, 60_000);
  }
}

/** What a program needs of the environment, and nothing that could be a setting of a server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const needed = ['PATH', 'HOME', 'USER', 'TMPDIR', 'LANG', 'TZ'];
  return Object.fromEntries(needed.map((name) => [name, process.env[name]]));
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'polling-lab-conformance-'));
}

export async function startServer(flags: string[] = [], options: StartOptions = {}): Promise<LocalServer> {
  const data = options.data ?? (await temporaryFolder());
  const server = new LocalServer(flags, data, options);
  try {
    return await server.ready();
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
}

/** Starts a server for the length of a callback, and removes its data after it. */
export async function withServer(
  flags: string[],
  use: (server: LocalServer, client: Client) => Promise<void>,
  options: StartOptions = {},
): Promise<void> {
  const server = await startServer(flags, options);
  try {
    await use(server, new Client(server.url));
    await server.stop();
  } catch (error) {
    await server.crash();
    throw error;
  } finally {
    if (options.data === undefined) await rm(server.data, { recursive: true, force: true });
  }
}

/** A client of the server that the tests are aimed at; without one, of a server that runs as long as this file's tests. */
export function target(): Client {
  const client = new Client(aimedAt ?? '');
  if (!aimedAt) runFor(client, [], {});
  return client;
}

/**
 * Tests that need a server with settings of their own. Aimed at a server that is none of ours, they are skipped,
 * counted, and say so.
 */
export function withSettings(
  title: string,
  flags: string[],
  tests: (client: Client, server: () => LocalServer) => void,
  options: StartOptions = {},
): void {
  ownServers(`${title} (${flags.join(' ')})`, () => {
    const client = new Client();
    const server = runFor(client, flags, options);
    tests(client, server);
  });
}

/** Tests that start servers themselves. */
export function ownServers(title: string, tests: () => void): void {
  if (aimedAt) {
    console.warn(`SKIPPED, since ${aimedAt} has settings that the tests cannot choose: ${title}`);
  }
  describe.skipIf(aimedAt)(title, tests);
}

function runFor(client: Client, flags: string[], options: StartOptions): () => LocalServer {
  let server: LocalServer | undefined;
  beforeAll(async () => {
    server = await startServer(flags, options);
    client.base = server.url;
  });
  afterAll(async () => {
    if (!server) return;
    await server.stop();
    await rm(server.data, { recursive: true, force: true });
  });
  return () => {
    if (!server) throw new Error('the server runs only while tests do');
    return server;
  };
}
