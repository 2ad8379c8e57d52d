import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { UNTIL_ORPHANED } from '../cluster/engine.js';
import { type Running, signalGroup, start } from '../shared/child.mjs';
import { saysPortTaken } from '../shared/ports.mjs';
import { Problem } from '../shared/problem.mjs';

/** How long a broker may take until it answers, in milliseconds. On a loaded machine, a JVM takes many seconds to start. */
const READY_MS = 120_000;

/** Small, and quick to start: no broker of ours has much to do. */
const JVM = [
  '-Xmx128m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];

/** A broker that runs, and where clients reach it. */
export interface Broker extends Running {
  host: string;
  port: number;
  /** Its name and version. */
  program: string;
  /** Kills it; its data is not needed afterwards. Resolves when its process has ended. */
  kill(): Promise<void>;
}

export interface JavaCommand {
  java: string;
  /** The folder with its jars. */
  jars: string;
  mainClass: string;
  args: string[];
  /** Further options of the Java machine. */
  options?: string[];
}

/** The arguments of `java` for that. */
export const javaArgs = ({ jars, mainClass, args, options = [] }: JavaCommand): string[] => {
  return [...JVM, ...options, '-cp', join(jars, '*'), mainClass, ...args];
};

/** How a broker is known to be ready. */
export interface Readiness {
  /** The name and version of the broker. */
  program: string;
  port: number;
  /** What it prints when it listens. An answer alone may be that of a program that took the port first. */
  started: string;
  /** Whether something answers at a port as such a broker does. */
  answers: (port: number) => Promise<boolean>;
}

/**
 * Starts a broker that ends with this process, and waits until it says that it has started, and answers. Error: {@link Problem},
 * with the last words of the broker.
 */
export async function startBroker(command: JavaCommand, at: Readiness, signal?: AbortSignal): Promise<Broker> {
  const args = ['-c', UNTIL_ORPHANED, command.java, ...javaArgs(command)];
  const running = start('/bin/sh', args, { stdio: ['pipe', 'pipe', 'pipe'], signal });
  const until = performance.now() + READY_MS;
  const kill = async () => {
    signalGroup(running.process.pid, 'SIGKILL');
    await running.ended;
  };
  let ended = false;
  void running.ended.then(() => {
    ended = true;
  });
  while (!running.said().includes(at.started) || !(await at.answers(at.port))) {
    // Some brokers go on without their port.
    if (!ended && !saysPortTaken(running.said()) && performance.now() < until) {
      await pause(50);
      continue;
    }
    await kill();
    signal?.throwIfAborted();
    const late = performance.now() >= until;
    const why = saysPortTaken(running.said()) ? `could not have port ${at.port}` : 'ended before it was ready';
    const what = late ? `did not answer within ${READY_MS / 1_000} s` : why;
    throw new Problem(`${at.program} ${what}.`, { exitCode: 1, details: running.said() });
  }
  return { ...running, kill, host: '127.0.0.1', port: at.port, program: at.program };
}
