import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { partsOfBill } from '../commands.mjs';
import { type Running, start } from '../shared/child.mjs';
import { findNginx } from '../shared/find-program.mjs';
import { launchServer, serverCommand, typescript } from '../shared/launch-server.js';
import { checkout } from '../shared/paths.mjs';
import { tryPort } from '../shared/ports.mjs';
import { Problem } from '../shared/problem.mjs';
import { type TemporaryFolder, temporaryFolder } from '../shared/temporary-folder.mjs';
import { Connection, post, type Response } from './load-client.js';

/** What this server is measured without, to tell what that costs: see `bill/without.mjs`. */
const WITHOUT: Record<(typeof partsOfBill)[number], string[]> = {
  'no-ledger': ['ledger'],
  'no-store': ['store'],
  'no-limits': ['limits'],
  'no-turns': ['turns'],
  'two-headers': ['headers'],
  'none-of-these': ['ledger', 'store', 'limits', 'turns', 'headers'],
};

/** What is measured: this server; bare node:http; Fastify; Hono; nginx with nchan; this server without some of itself. */
export type Name = 'ours' | 'floor' | 'fastify' | 'hono' | 'nchan' | keyof typeof WITHOUT;

/** What a heap holds: for each name, how many objects, and how many bytes. */
export type Held = Record<string, [objects: number, bytes: number]>;

/** A profile as V8 writes it (Chrome DevTools Protocol, Profiler.Profile): what ran at each sample, and for how long. */
export interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  /** The node that was on top. */
  samples: number[];
  /** Microseconds. */
  startTime: number;
  /** Microseconds since the sample before. */
  timeDeltas: number[];
}

/** What `bill/probe.mjs` answers. */
export interface Answers {
  heap: Held;
  now: number;
  startProfile: true;
  stopProfile: Profile;
}

/** A server that runs, and what a workload needs of it. */
export interface Server {
  port: number;
  pids: number[];
  /** Lets go of what is garbage, so that memory is what is in use. */
  collect(): Promise<void>;
  /** Asks a server that was started with a probe. */
  ask<What extends keyof Answers>(what: What): Promise<Answers[What]>;
  /** If set, it is called to run `work`, which does `count` operations, so that it sees when they begin and end. */
  watch?: (operation: string, count: number, work: () => Promise<void>) => Promise<void>;
  submit(): Promise<string>;
  /** Submits so many jobs, 50 of them at a time. */
  submitMany(count: number): Promise<string[]>;
  /** Requests as they go on the wire. */
  progress(job: string, progress: number): string;
  finish(job: string): string;
  paths: { status(job: string): string; longPoll(job: string): string; stream(job: string): string };
  /** Sends requests, 50 of them at a time, and sees that they succeed. */
  tell(...requests: string[]): Promise<void>;
  stop(): Promise<void>;
}

const NCHAN = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/local/lib/nginx/modules'].map((folder) =>
  join(folder, 'ngx_nchan_module.so'),
);

const probe = pathToFileURL(join(checkout, 'server', 'conformance', 'memory-probe.mjs')).href;
const own = (file: string) => join(import.meta.dirname, file);

/** The programs that have this server's routes and print `ready URL`, as it does. */
const PROGRAMS: Partial<Record<Name, string>> = {
  floor: own('floor.ts'),
  fastify: own('frameworks/fastify.mjs'),
  hono: own('frameworks/hono.mjs'),
};

/** Two cores and taskset: the server has the first, the client the second, and neither is in the other's way. */
export const pinned = availableParallelism() > 1 && existsSync('/usr/bin/taskset');

/** Moves this process, the client, to the second core. */
export function pinClient(): void {
  if (pinned)
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', '1', String(process.pid)], { stdio: 'ignore' });
}

const onServerCore = (command: string[]) => (pinned ? ['taskset', '--cpu-list', '0', ...command] : command);

/** Whether nginx with nchan is on this machine. */
export const hasNchan = (): boolean => findNginx() !== null && NCHAN.some(existsSync);

/** `signal` stops it. `probed`: `ask` works. */
export async function startServer(name: Name, signal?: AbortSignal, probed = false): Promise<Server> {
  const folder = temporaryFolder('polling-lab-bench-');
  try {
    return await (name === 'nchan' ? startNchan(folder, signal) : startNode(name, folder, probed, signal));
  } catch (error) {
    folder.remove();
    throw error;
  }
}

async function startNode(name: Name, folder: TemporaryFolder, probed: boolean, signal?: AbortSignal): Promise<Server> {
  const child = launchServer(onServerCore(commandOf(name, folder.path, probed)), { cwd: checkout, ipc: true, signal });
  const port = Number(new URL(await child.ready).port);
  const collect = () =>
    new Promise<void>((resolve) => {
      child.process.once('message', () => resolve());
      child.process.send('memory');
    });
  const ask = <What extends keyof Answers>(what: What) =>
    new Promise<Answers[What]>((resolve, reject) => {
      const lost = () => reject(new Error('the server ended before it answered its probe'));
      const take = (message: Partial<Answers>) => {
        if (message[what] === undefined) return; // the other probe's answer
        child.process.off('message', take).off('exit', lost);
        resolve(message[what]);
      };
      child.process.on('message', take).once('exit', lost).send(what);
    });
  return {
    ...(await jobs(port)),
    pids: [child.process.pid as number],
    collect,
    ask,
    paths: {
      status: (job) => `/jobs/${job}`,
      longPoll: (job) => `/jobs/${job}/result`,
      stream: (job) => `/jobs/${job}/events`,
    },
    stop: async () => {
      await child.stop();
      folder.remove();
    },
  };
}

function commandOf(name: Name, folder: string, probed: boolean): string[] {
  const nodeFlags = ['--expose-gc', '--import', probe, ...(process.env.BENCH_NODE?.split(' ') ?? [])];
  if (probed) nodeFlags.push('--import', pathToFileURL(own('bill/probe.mjs')).href);
  const program = PROGRAMS[name];
  if (program) return typescript(program, [], nodeFlags);
  const without = WITHOUT[name as keyof typeof WITHOUT] ?? [];
  for (const part of without) nodeFlags.push('--import', `${pathToFileURL(own('bill/without.mjs')).href}?${part}`);
  return serverCommand(checkout, ['--data', folder], { nodeFlags });
}

/** How the jobs of all servers but nchan are moved. */
async function jobs(port: number) {
  const control = controlOf(port);
  const request = post('/jobs', { kind: 'manual' });
  const submitMany = async (count: number) =>
    (await sendAll(control, Array(count).fill(request))).map(({ body }) => JSON.parse(body).jobId as string);
  return {
    port,
    submit: async () => (await submitMany(1))[0] as string,
    submitMany,
    progress: (job: string, progress: number) => post(`/jobs/${job}/progress`, { progress }),
    finish: (job: string) => post(`/jobs/${job}/finish`, { result: { answer: 42 } }),
    tell: telling(control),
  };
}

/** The connection on which jobs are moved: a new one where the server has closed the last, which was idle for long. */
function controlOf(port: number): () => Promise<Connection> {
  let control: Connection | undefined;
  return async () => {
    if (!control || control.closed) control = await Connection.open(port);
    return control;
  };
}

/** As many at a time as clients would have on their way. */
async function sendAll(open: () => Promise<Connection>, requests: string[]): Promise<Response[]> {
  const answers: Response[] = [];
  const control = await open();
  for (let at = 0; at < requests.length; at += 50)
    answers.push(...(await control.sendAll(requests.slice(at, at + 50))));
  const wrong = answers.find(({ status }) => status >= 300);
  if (wrong) throw new Error(`expected success, got ${wrong.status}: ${wrong.body}`);
  return answers;
}

const telling =
  (control: () => Promise<Connection>) =>
  async (...requests: string[]) =>
    void (await sendAll(control, requests));

/** A channel of nchan stands for a job: the first request that names it makes it. A message is an event, or the end. */
async function startNchan({ path: folder, remove }: TemporaryFolder, signal?: AbortSignal): Promise<Server> {
  const port = await tryPort();
  const template = await readFile(join(import.meta.dirname, 'nchan.conf'), 'utf8');
  const words: Record<string, string> = {
    MODULE: `load_module ${NCHAN.find(existsSync)};`,
    FOLDER: folder,
    USER: process.getuid?.() === 0 ? 'user root;' : '',
    PORT: String(port),
  };
  const file = join(folder, 'nginx.conf');
  await writeFile(
    file,
    template.replace(/@([A-Z]+)@/g, (_, word: string) => words[word] ?? ''),
  );
  await mkdir(join(folder, 'body'));
  await chmod(folder, 0o755);
  const nginx = findNginx() as string;
  const [program = '', ...args] = onServerCore([nginx, '-c', file, '-p', folder]);
  const child = start(program, args, { cwd: folder, signal });
  const master = child.process.pid as number;
  // It listens before its worker is there.
  const begun = retried(async () => {
    (await Connection.open(port)).close();
    return Number(execFileSync('pgrep', ['--parent', String(master)], { encoding: 'utf8', stdio: 'pipe' }));
  }, child);
  const worker = await orStop(child, begun);
  const control = controlOf(port);
  let channel = 0;
  const submit = async () => `job-${++channel}`;
  const publish = (job: string, message: object) => post(`/publish?job=${job}`, message);
  return {
    port,
    pids: [master, worker],
    collect: async () => {},
    ask: () => Promise.reject(new Error('nginx has no probe')),
    submit,
    submitMany: (count) => Promise.all(Array.from({ length: count }, submit)),
    progress: (job, progress) => publish(job, { progress }),
    finish: (job) => publish(job, { result: { answer: 42 } }),
    tell: telling(control),
    paths: {
      status: (job) => `/publish?job=${job}`, // what nchan tells of a channel
      longPoll: (job) => `/result?job=${job}`,
      stream: (job) => `/events?job=${job}`,
    },
    stop: async () => {
      await child.stop();
      remove();
    },
  };
}

/** Stops a child that did not start as it should. */
async function orStop<T>(child: Running, started: Promise<T>): Promise<T> {
  try {
    return await started;
  } catch (error) {
    await child.stop();
    throw error;
  }
}

async function retried<T>(attempt: () => Promise<T>, child: Running): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch {
      if (tries > 100) throw new Problem('nginx did not start.', { exitCode: 1, details: child.said() });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
