import type { Context, Exchange } from '../core/exchange.js';
import type { Settings } from '../settings.js';
import type { BodyCollector } from './http/collector.js';
import type { Ledger } from './ledger.js';
import type { Engine } from './store/engine.js';
import type { Uploads } from './uploads/uploads.js';

/** What a route uses of the server: what a technique uses, and the edge. */
export interface ServerContext extends Context {
  readonly settings: Settings;
  /** A secret of the program that started this server. `GET /healthz` answers with a hash of it. */
  readonly token: string;
  readonly engine: Engine;
  readonly uploads: Uploads;
  readonly bodies: BodyCollector;
  readonly ledger: Ledger;
  /** The server's address over HTTPS; empty until the server listens. */
  readonly httpsUrl: string;
  readonly stopping: boolean;
  /** Runs `part`, which answers a request. If it throws or rejects, the client gets that as a problem. */
  answer(x: Exchange, part: () => void | Promise<void>): void;
}
