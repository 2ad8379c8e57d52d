import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Problem } from '../../../server/core/problem.js';
import { countBytes } from '../../../server/edge/http/bytes.js';
import { closeSoon } from '../../../server/edge/http/closing.js';
import { hostOf, isLoopbackHost } from '../../../server/edge/http/guard.js';
import { http1Server, rawProblem } from '../../../server/edge/http/http1.js';
import { Connections } from '../../../server/edge/http/lifetime.js';
import { Ledger, type Row } from '../../../server/edge/ledger.js';
import { Faults } from './faults.js';
import { isDecoded, pathOf } from './heads.js';
import { listen } from './listen.js';
import { openPage } from './page.js';
import { Passage } from './passage.js';
import { PassingTraffic, type Told } from './passing-traffic.js';
import { asksForWebSocket, passUpgrade, withoutUpgrade } from './upgrade.js';
import { Upstream } from './upstream.js';

/** How many connections may be open at a time. */
const MAX_CONNECTIONS = 1_000;
/** How many requests the live page can show. */
const MAX_ROWS = 5_000;
const LIMITS = { headTimeoutMs: 60_000, bodyTimeoutMs: 60 * 60_000, stallMs: 60_000 };

export interface ProxyOptions {
  /** The address of the service. */
  readonly upstream: string;
  /** Where the proxy listens, on 127.0.0.1. 0 or none: any free port. */
  readonly port?: number | undefined;
  /** Faults that are on from the start: `cut=5`. */
  readonly faults?: readonly string[];
  /** Accepts any certificate of the service. Default: false. */
  readonly insecure?: boolean;
  /** How many requests and WebSockets together may be open at a time. Default: 1,000. */
  readonly maxOpen?: number;
}

/** A proxy on this machine, in front of a service in development. */
export interface ExaminingProxy {
  /** Use it in place of `upstream`, the service's origin. */
  readonly url: string;
  readonly upstream: string;
  /** The live page. */
  readonly pageUrl: string;
  readonly faults: Faults;
  readonly traffic: PassingTraffic;
  readonly ledger: Ledger;
  /** Breaks every connection, and frees the ports. */
  close(): Promise<void>;
}

/** Opens an {@link ExaminingProxy}. Error: a Problem of the command, which says what is wrong with an option. */
export async function openProxy({
  upstream: to,
  port,
  faults: given = [],
  insecure = false,
  maxOpen = 1_000,
}: ProxyOptions): Promise<ExaminingProxy> {
  const upstream = new Upstream(to, insecure);
  const faults = new Faults(given);
  const traffic = new PassingTraffic(upstream.origin);
  const ledger = new Ledger('proxy', MAX_ROWS, 1);
  const connections = new Connections(LIMITS);
  const passages = new Set<Passage>();
  const webSockets = new Set<Socket>();
  const sockets = new Set<Socket>();
  faults.onChange(() => {
    for (const passage of passages) passage.arm();
  });

  /** Why a request is not passed on, if it is not. */
  const refusalOf = (req: IncomingMessage): Problem | undefined => {
    const fault = faultOfRequest(req);
    if (fault || passages.size + webSockets.size < maxOpen) return fault;
    const detail = `At most ${maxOpen} requests and WebSockets are passed on at a time. Close some.`;
    return new Problem(503, detail, { 'Retry-After': '1' });
  };

  const tellOf =
    (row: Row) =>
    ({ status, ...told }: Told) => {
      Object.assign(row, told);
      if (status !== undefined) Object.assign(row, { status, answeredAt: row.now() });
      ledger.touch(row);
    };

  const handle = (req: IncomingMessage, res: ServerResponse) => {
    const lifetime = connections.begin(req, res);
    const row = ledger.begin({
      ...{ method: req.method ?? 'GET', protocol: `HTTP/${req.httpVersion}`, connection: lifetime.connection.id },
      bytes: countBytes(req, res, lifetime),
    });
    lifetime.count = row;
    const path = pathOf(req);
    const refusal = refusalOf(req);
    const observer = traffic.observe(req, path, tellOf(row), refusal !== undefined);
    const passage = new Passage(req, res, lifetime, upstream, faults, observer);
    passages.add(passage);
    lifetime.onEnd(() => passages.delete(passage));
    lifetime.connection.admit(lifetime, () => (refusal ? passage.fail(refusal) : passage.begin()));
  };
  const server = http1Server(LIMITS, handle, connections.owes);
  const upgrade = (req: IncomingMessage, socket: Socket, head: Buffer): void => {
    if (socket.destroyed || socket.writableEnded) return;
    const earlier = [...connections.connectionOf(socket, null).exchanges].find(({ ended }) => !ended);
    const refusal = refusalOf(req);
    // RFC 9112, section 9.3.2: answers leave in the order of the requests.
    if (earlier) earlier.onEnd(() => setImmediate(upgrade, req, socket, head));
    else if (!asksForWebSocket(req)) withoutUpgrade(server, req, socket, head);
    else if (refusal) closeSoon(socket, rawProblem(refusal));
    else {
      webSockets.add(socket.once('close', () => webSockets.delete(socket)));
      traffic.countWebSocket();
      passUpgrade({ req, socket, head, upstream, ledger, connections, route: traffic.route(pathOf(req)) });
    }
  };
  server.on('upgrade', upgrade);
  server.on('connection', (socket) => {
    // A connection comes again with a request whose upgrade is ignored.
    if (sockets.has(socket)) return;
    // Node no longer handles the errors of a connection after an upgrade. "close" follows each.
    sockets.add(socket.on('error', () => {}).once('close', () => sockets.delete(socket)));
  });
  server.maxConnections = MAX_CONNECTIONS;
  const url = `http://${upstream.name}:${await listen(server, port)}`;
  const page = await openPage({ ledger, faults, upstream: upstream.origin, url }).catch((error) => {
    server.close();
    throw error;
  });
  return {
    ...{ url, upstream: upstream.origin, pageUrl: page.url, faults, traffic, ledger },
    async close() {
      const closed = once(server.close(), 'close');
      for (const socket of sockets) socket.destroy();
      connections.stop();
      upstream.close();
      await Promise.all([closed, page.close()]);
    },
  };
}

/** Why a request is not to be passed on, whatever else is open. */
function faultOfRequest(req: IncomingMessage): Problem | undefined {
  try {
    const host = hostOf(req);
    // Any site could have bound its own name to 127.0.0.1 (DNS rebinding), and would reach the service through the proxy.
    if (host !== undefined && !isLoopbackHost(host)) {
      return new Problem(421, `This proxy answers for loopback names, not for "${host}". Use localhost.`);
    }
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  // RFC 9112, section 6.1: the service would get the body without the name of its coding.
  if (!isDecoded(req)) return new Problem(501, 'Expected the transfer coding "chunked" alone. Send the body in it.');
  return undefined;
}
