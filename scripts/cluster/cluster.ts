import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { table, variableOf } from '../../server/settings-table.mjs';
import { findEngine } from '../shared/find-program.mjs';
import { type LaunchedServer, launchServer, serverCommand } from '../shared/launch-server.js';
import { pathsOf } from '../shared/paths.mjs';
import { lastingPort } from '../shared/ports.mjs';
import { Problem } from '../shared/problem.mjs';
import { type EngineProcess, NO_ENGINE, startEngine } from './engine.js';

/** How long to wait before what died is started again, in milliseconds. */
const AGAIN_MS = 500;

export interface ClusterOptions {
  /** The checkout. */
  root: string;
  /** How many servers. They are called a, b, c and so on. */
  servers: number;
  /** Where the engine and the uploads are kept. */
  folder: string;
  /** The URL of an engine that runs already. Default: one is started, and stopped with the cluster. */
  engine?: string | undefined;
  /** The port of the first server; the others have those that follow. Default: a free one for each. A server that is started again keeps its port. */
  port?: number | undefined;
  /** Further flags of every server. */
  flags?: string[];
  /** Whether the servers take further settings from the environment: for the user's own cluster. Default: they do not. */
  fromEnvironment?: boolean;
  /** Starts again what dies, and is told so. */
  say?: ((line: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * What the environment of a server has beside, or instead of, that of this process. The engine's URL is there and not among the
 * flags, since it may have a password, which a list of processes must not show. The variables of all other settings are taken out,
 * unless `fromEnvironment`: they were meant for another server.
 */
export function environmentOf(engine: string, fromEnvironment = false): NodeJS.ProcessEnv {
  const others = fromEnvironment ? [] : Object.keys(table).map((name) => [variableOf(name), undefined]);
  return { ...Object.fromEntries(others), ENGINE: engine };
}

/** One of the servers of a cluster. */
export class ClusterServer {
  url = '';
  private running: LaunchedServer | undefined;

  constructor(
    readonly name: string,
    private readonly command: string[],
    private readonly options: { cwd: string; env: NodeJS.ProcessEnv },
    private readonly died: (server: ClusterServer, how: string) => void,
  ) {}

  /** Starts it; again, if it has ended. Resolves when it serves. Error: {@link Problem}. */
  async start(): Promise<void> {
    const running = launchServer(this.command, this.options);
    this.running = running;
    this.url = await running.ready;
    void running.ended.then(({ code, signal }) => {
      if (this.running === running) this.died(this, String(code ?? signal));
    });
  }

  /** Sends its process a signal. */
  kill(signal: NodeJS.Signals): void {
    this.running?.process.kill(signal);
  }

  /** Resolves when its process has ended. */
  async ended(): Promise<void> {
    await this.running?.ended;
  }

  /** The last that it wrote to stderr. */
  said(): string {
    return this.running?.said() ?? '';
  }

  get pid(): number | undefined {
    return this.running?.process.pid;
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    // A process that was stopped takes no other signal.
    running?.process.kill('SIGCONT');
    await running?.stop();
  }
}

/** Several servers on one engine. */
export class Cluster {
  engine: EngineProcess | null = null;
  readonly servers: ClusterServer[] = [];
  private readonly ports = new Set<number>();
  private engineProgram = '';
  private stopping = false;

  private constructor(private readonly options: ClusterOptions) {}

  /** Starts an engine, unless one is named, and the servers. Resolves when all of them serve. Error: {@link Problem}. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      await cluster.begin();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** The engine's URL. */
  get url(): string {
    return this.options.engine ?? (this.engine as EngineProcess).url;
  }

  /** Stops the servers, then the engine. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.servers.map((server) => server.stop()));
    this.engine?.signal('SIGCONT');
    await this.engine?.stop();
  }

  private async begin(): Promise<void> {
    const { root, servers, folder, engine, port, flags = [], signal } = this.options;
    if (engine === undefined) {
      const program = findEngine(pathsOf(root));
      if (!program) throw new Problem(`A cluster needs an engine. Install ${NO_ENGINE}; or name yours with --engine.`);
      this.engineProgram = program;
      await this.startEngine();
    }
    for (let n = 0; n < servers; n++) {
      signal?.throwIfAborted();
      const name = nameOf(n);
      // Chosen here and not by the server: clients find a server that was started again where it was.
      const ports = [
        '--port',
        String(port ? port + n : await this.freePort()),
        '--https-port',
        String(await this.freePort()),
      ];
      const own = ['--server-name', name, '--data', join(folder, 'data'), ...ports, ...flags];
      const command = serverCommand(root, own, { fromEnvironment: true });
      const env = environmentOf(this.url, this.options.fromEnvironment);
      this.servers.push(
        new ClusterServer(name, command, { cwd: root, env }, (server, how) => this.revive(server, how)),
      );
    }
    await Promise.all(this.servers.map((server) => server.start()));
  }

  /** A lasting port that no other server of this cluster was given. */
  private async freePort(): Promise<number> {
    let port: number;
    do port = await lastingPort();
    while (this.ports.has(port));
    this.ports.add(port);
    return port;
  }

  private async startEngine(port?: number): Promise<void> {
    const engine = await startEngine(this.engineProgram, join(this.options.folder, 'engine'), port);
    this.engine = engine;
    void engine.ended.then(async ({ code, signal }) => {
      const { say } = this.options;
      if (this.stopping || !say || this.engine !== engine) return;
      say(`The engine has ended (${code ?? signal}): it is started again.`);
      while (!this.stopping) {
        try {
          await this.startEngine(engine.port);
          return say(`The engine is back: ${this.url}`);
        } catch (error) {
          say((error as Error).message);
          await pause(AGAIN_MS);
        }
      }
    });
  }

  private async revive(server: ClusterServer, how: string): Promise<void> {
    const { say } = this.options;
    if (this.stopping || !say) return;
    say(`Server ${server.name} has ended (${how}): it is started again.`);
    while (!this.stopping) {
      try {
        await server.start();
        if (this.stopping) return await server.stop();
        return say(`Server ${server.name} is back: ${server.url}`);
      } catch (error) {
        if (!this.stopping) say(`Server ${server.name}: ${(error as Error).message}`);
        await pause(AGAIN_MS);
      }
    }
  }
}

/** a, b, c … z, a1, b1 … */
const nameOf = (n: number): string => String.fromCharCode(97 + (n % 26)) + (n < 26 ? '' : Math.floor(n / 26));
