import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { type Running, start } from './child.mjs';
import { Problem } from './problem.mjs';

const READY_MS = 60_000;

/** A server's process, which may still be starting. */
export interface LaunchedServer extends Running {
  /**
   * Resolves with the server's URL when it has printed its line `ready URL`. Rejects with a {@link Problem} when it
   * ended before, or was not ready after a minute and was stopped.
   */
  ready: Promise<string>;
}

export interface LaunchOptions {
  cwd: string;
  /** Beside the variables of this process. */
  env?: NodeJS.ProcessEnv;
  /** The file that stderr goes to. Default: it is kept in memory. `said` tells the end of either. */
  log?: string;
  /** Opens a channel for messages to the process. */
  ipc?: boolean;
  signal?: AbortSignal | undefined;
}

/** The command of a Node program in TypeScript. */
export function typescript(file: string, args: string[] = [], nodeFlags: string[] = []): string[] {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return [process.execPath, ...nodeFlags, '--import', tsx, file, ...args];
}

/**
 * The command of a checkout's server on any free port, unless `flags` name one. It ends with its stdin, and so with
 * the process that launched it, however that ends. Flags alone steer it: what the environment sets was meant for
 * another server. Only `fromEnvironment`, for the server that the user has asked for, lets the environment in.
 */
export function serverCommand(
  root: string,
  flags: string[],
  { fromEnvironment = false, nodeFlags = [] as string[] } = {},
): string[] {
  const source = fromEnvironment ? [] : ['--port', '0', '--ignore-env'];
  return typescript(join(root, 'server', 'main.ts'), [...source, '--exit-with-stdin', ...flags], nodeFlags);
}

/** Starts a server, and waits for its line `ready URL` on stdout. */
export function launchServer([program = '', ...args]: string[], options: LaunchOptions): LaunchedServer {
  const { env, ipc, ...others } = options;
  const child = start(program, args, {
    ...others,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', options.log ? 'log' : 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  });
  const ready = new Promise<string>((resolve, reject) => {
    const fail = (what: string) => reject(new Problem(`The server ${what}.`, { exitCode: 1, details: child.said() }));
    const timer = setTimeout(() => {
      void child.stop().then(() => fail(`was not ready after ${READY_MS / 1_000} s`));
    }, READY_MS);
    void child.ended.then(({ code }) => {
      clearTimeout(timer);
      // 2: it was asked for what it does not know or cannot do, and says so in a sentence of its own.
      if (code === 2 && child.said()) reject(new Problem(child.said().trim()));
      else fail('ended before it was ready');
    });
    createInterface({ input: child.process.stdout! }).on('line', (line) => {
      const url = /^ready (\S+)$/.exec(line)?.[1];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
  ready.catch(() => {}); // a caller that awaits it is told; one that stops the server first need not
  return { ...child, ready };
}
