import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { visible } from '../scripts/shared/visible.mjs';
import { Jobs } from './core/jobs/jobs.js';
import { Simulator } from './core/jobs/simulated.js';
import { EventLog, type JobRecord } from './core/log/log.js';
import type { Bounds } from './core/log/store.js';
import { Problem } from './core/problem.js';
import { Waiting } from './core/waiting.js';
import { Access } from './edge/http/access.js';
import { countBytes } from './edge/http/bytes.js';
import { BodyCollector } from './edge/http/collector.js';
import { guard } from './edge/http/guard.js';
import { HttpExchange } from './edge/http/http-exchange.js';
import type { Expectation } from './edge/http/http1.js';
import { Connections } from './edge/http/lifetime.js';
import { problemOf } from './edge/http/problem-of.js';
import type { Route } from './edge/interface/route.js';
import { Ledger, MAX_METHOD } from './edge/ledger.js';
import { allow, preflight } from './edge/routes/cors.js';
import { routes } from './edge/routes/index.js';
import { PAGES } from './edge/routes/pages.js';
import { answerWithoutToken } from './edge/routes/without-token.js';
import type { ServerContext } from './edge/server-context.js';

import { type Engine, engineOf } from './edge/store/engine.js';
import { Uploads } from './edge/uploads/uploads.js';
import type { Settings } from './settings.js';

/** What a route takes, as `Allow` lists it (RFC 9110, section 10.2.1). */
const allowed = (methods: Record<string, Route> = {}): string =>
  [...Object.keys(methods), ...('GET' in methods ? ['HEAD'] : []), 'OPTIONS'].join(', ');

/** How long to wait before an engine that could not be opened again is tried again, in milliseconds. */
const REOPEN_MS = 1_000;

/** How much the log holds. */
const boundsOf = (settings: Settings): Bounds => ({
  ...{ events: settings.maxEvents, eventBytes: settings.maxEventBytes },
  ...{ jobs: settings.keepJobs, jobBytes: settings.keepJobBytes },
});

/** The server without its sockets: what it keeps, and how it answers a request. */
export class App implements ServerContext {
  readonly ledger: Ledger;
  log!: EventLog;
  jobs!: Jobs;
  private simulator!: Simulator;
  uploads!: Uploads;
  /** The server's address over HTTPS; empty until the server listens. */
  httpsUrl = '';
  waiting!: Waiting;
  readonly connections: Connections;
  readonly bodies = new BodyCollector();
  stopping = false;
  private readonly guard: (req: IncomingMessage, path: string) => void;
  private readonly access: Access;

  /** Opens what the engine holds, and sets unfinished jobs going. Error: `StoreError`. */
  static async open(settings: Settings, token: string): Promise<App> {
    const engine = engineOf(settings);
    return new App(settings, token, engine, await EventLog.open(engine.store, boundsOf(settings)));
  }

  private constructor(
    readonly settings: Settings,
    /** A secret of the program that started this server. `GET /healthz` answers with a hash of it. */
    readonly token: string,
    readonly engine: Engine,
    log: EventLog,
  ) {
    this.connections = new Connections(settings);
    this.ledger = new Ledger(settings.serverName, settings.maxRows, settings.maxExperiments);
    this.guard = guard(settings, PAGES);
    this.access = new Access(settings.accessToken);
    this.begin(log);
    engine.onLost(() => void this.reopen());
  }

  /** Serves a log, and sets its unfinished jobs going, those that no other server works on. */
  private begin(log: EventLog): void {
    const { settings, engine } = this;
    this.log = log;
    this.waiting = new Waiting(log.delivery, settings.maxWaiters);
    this.jobs = new Jobs(log, boundsOf(settings), settings.maxJobs);
    this.simulator = new Simulator(this.jobs);
    // In a folder that servers share, a file without a job may be one that is just arriving at another server.
    const abandonedMs = engine.shared ? settings.bodyTimeoutMs : 0;
    this.uploads = new Uploads(join(settings.data, 'uploads'), this.jobs, { ...settings, abandonedMs });
    engine.work(log, (record) => {
      this.uploads.count(record);
      this.run(record);
    });
  }

  /** Serves what the engine holds now. All clients that wait are answered, and find out when they ask again. */
  private async reopen(): Promise<void> {
    this.waiting.stop();
    this.simulator.stop();
    await this.uploads.stop();
    while (!this.stopping) {
      try {
        return this.begin(await EventLog.open(this.engine.store, boundsOf(this.settings)));
      } catch (error) {
        console.error((error as Error).message);
        await pause(REOPEN_MS);
      }
    }
  }

  /** `Retry-After` for what is not ready yet, in whole seconds (RFC 9110, section 10.2.3). */
  get retryAfter(): string {
    return String(Math.max(1, Math.ceil(this.settings.retryMs / 1000)));
  }

  /** Sets a job going, or going on. A manual job moves only when it is told to. */
  run(record: JobRecord): void {
    const { kind } = record.job.spec;
    if (kind === 'video') this.uploads.enqueue(record);
    if (kind === 'simulated') this.simulator.run(record);
  }

  /** Answers a request. */
  readonly handle = (req: IncomingMessage, res: ServerResponse, expects: Expectation = null): void => {
    const url = req.url as string;
    const looksAtLedger = url.includes('/traffic') && /^([a-zA-Z]+:\/\/[^/?#]*)?\/traffic(\?|$)/.test(url);
    const lifetime = this.connections.begin(req, res);
    const row = this.ledger.begin({
      method: req.method as string,
      protocol: `HTTP/${lifetime.connection.session ? 2 : req.httpVersion}`,
      connection: lifetime.connection.id,
      bytes: countBytes(req, res, lifetime),
      counted: !looksAtLedger,
    });
    lifetime.count = row;
    const x = new HttpExchange(this, req, res, lifetime, row, expects);
    lifetime.connection.admit(lifetime, () => this.answer(x, this.dispatch));
  };

  answer(x: HttpExchange, part: (x: HttpExchange) => void | Promise<void>): void {
    try {
      const answering = part(x);
      if (answering) answering.catch((error: Error) => this.fail(x, error));
    } catch (error) {
      this.fail(x, error as Error);
    }
  }

  /** Not async: an async function would keep its variables in memory for as long as the answer is held. */
  private readonly dispatch = (x: HttpExchange): void | Promise<void> => {
    const { req } = x;
    this.guard(req, x.path);
    if (req.headers.origin !== undefined) allow(x);
    const refusal = this.access.refusal(x);
    if (refusal) return answerWithoutToken(x, refusal);
    x.nameExperiment();
    if (x.expects === 'unknown')
      throw new Problem(417, `Only Expect: 100-continue is understood, got "${req.headers.expect}". Leave it out.`);
    if (req.method !== 'POST') x.dropBody();
    const [, jobId, resource = ''] = /^\/jobs\/([^/]+)(\/[a-z]+)?$/.exec(x.path) ?? [];
    x.jobId = jobId ?? '';
    const route = jobId === undefined ? x.path : `/jobs/{id}${resource}`;
    const methods = routes.get(route);
    if (methods) x.row.route = route;
    const method = req.method as string;
    // In HTTP/2 a method may have any length, and the ledger keeps it.
    if (method.length > MAX_METHOD)
      throw new Problem(501, `A method has at most ${MAX_METHOD} characters here, got ${method.length}. Use GET, say.`);
    if (method === 'OPTIONS' && (methods || x.path === '*')) return preflight(x, allowed(methods));
    if (!methods) throw new Problem(404, `There is nothing at "${x.path}". GET /openapi.json lists what there is.`);
    const name = method === 'HEAD' ? 'GET' : method;
    // Own properties only: in HTTP/2 a method may be called "toString", which every object has.
    if (Object.hasOwn(methods, name)) {
      const { answer, technique } = methods[name] as Route;
      // Told first: a live reader of the ledger sees the row while the engine is asked.
      if (technique) x.setTechnique(technique(x));
      const stale = route.startsWith('/jobs') || route.startsWith('/events') ? this.log.fresh() : undefined;
      return stale ? stale.then(() => answer(x)) : answer(x);
    }
    const Allow = allowed(methods);
    throw new Problem(405, `${route} takes ${Allow}, got ${method}.`, { Allow });
  };

  private fail(x: HttpExchange, error: Error): void {
    if (x.lifetime.left) return;
    const problem = problemOf(error);
    if (problem.status === 500) {
      const [asked, failed] = [`${x.req.method} ${x.path}`, error.stack]; // the query may have the access token
      console.error(`${visible(asked)}: ${visible(failed, { most: 10_000, lines: true })}`);
    }
    if (x.res.headersSent) x.res.destroy();
    else x.problem(problem);
  }

  /** Answers all clients that wait, and takes in no more. */
  stop(): void {
    this.stopping = true;
    this.simulator.stop();
    this.waiting.stop();
  }

  /** Writes what is staged. Jobs that have not ended go on with the next server on this data. */
  async close(): Promise<void> {
    this.connections.stop();
    await this.uploads.stop();
    await this.log.close();
  }
}
