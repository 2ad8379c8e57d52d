import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { AS_IT_IS, Problem } from '../../../server/core/problem.js';
import { guard, hostOf } from '../../../server/edge/http/guard.js';
import type { Ledger } from '../../../server/edge/ledger.js';
import { MONITOR_POLICY, renderPage } from '../../../server/edge/pages/render-page.js';
import { TICK_MS, trafficJson } from '../../../server/edge/routes/traffic.js';
import { TECHNIQUES } from '../../../server/techniques.js';
import { Problem as CommandProblem } from '../../shared/problem.mjs';
import { FAULTS, type Faults } from './faults.js';
import { listen } from './listen.js';

/** No request can be told to consume a log: that would take knowledge of the service. */
const { consume: _, ...techniques } = TECHNIQUES;
/** How many connections the page's server takes at a time, and how many of them follow the traffic. */
const MAX_CONNECTIONS = 50;
const MAX_READERS = 20;
/** The largest body of a request, in bytes. */
const MAX_BODY = 1_000;
const HEARTBEAT_MS = 15_000;

export interface PageOptions {
  readonly ledger: Ledger;
  readonly faults: Faults;
  /** The service's origin, and the address that is used in its place. */
  readonly upstream: string;
  readonly url: string;
}

/**
 * Serves the live page of a proxy on a port of its own, so that its origin is not the service's: a page of the service can
 * neither read it nor switch a fault.
 */
export async function openPage({ ledger, faults, upstream, url }: PageOptions) {
  const page = renderPage('monitor.html', MONITOR_POLICY, { techniques, proxy: { upstream, url, faults: FAULTS } });
  const readers = new Set<ServerResponse>();
  const check = guard({ allowHost: '', allowOrigin: '', listen: '127.0.0.1' }, new Set());

  /** Sends the rows that change, the faults when they change, and a comment after a silence. */
  const follow = (res: ServerResponse) => {
    if (readers.size >= MAX_READERS)
      throw new Problem(503, `At most ${MAX_READERS} pages follow the traffic. Close some.`);
    readers.add(res);
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', ...AS_IT_IS });
    res.write('retry: 1000\n\n');
    let [rows, state, quietMs] = [-1, -1, 0];
    const tick = () => {
      if (res.writableNeedDrain) return;
      quietMs += TICK_MS;
      let text = quietMs >= HEARTBEAT_MS ? ':\n\n' : '';
      if (state !== faults.revision) text += `event: faults\ndata: ${JSON.stringify(faults)}\n\n`;
      if (rows !== ledger.revision) text += `event: traffic\ndata: ${trafficJson(ledger, null, Math.max(rows, 0))}\n\n`;
      [rows, state] = [ledger.revision, faults.revision];
      if (text === '') return;
      quietMs = 0;
      res.write(text);
    };
    const ticking = setInterval(tick, TICK_MS);
    res.once('close', () => {
      clearInterval(ticking);
      readers.delete(res);
    });
    tick();
  };

  const switchFault = async (req: IncomingMessage, res: ServerResponse) => {
    // A form of another site cannot send this type without a preflight, which is not answered.
    if (!/^application\/json\b/i.test(req.headers['content-type'] ?? '')) {
      throw new Problem(415, 'Expected "Content-Type: application/json".');
    }
    let body = '';
    for await (const piece of req.setEncoding('utf8')) {
      body += piece;
      if (body.length > MAX_BODY) throw new Problem(413, `Expected at most ${MAX_BODY} characters.`);
    }
    try {
      const { name, value } = Object(JSON.parse(body)) as Record<string, unknown>;
      faults.set(name, value);
    } catch (error) {
      if (error instanceof CommandProblem) throw new Problem(400, error.message);
      throw new Problem(400, 'Expected JSON such as {"name":"cut","value":5}; null as the value switches a fault off.');
    }
    res.writeHead(204).end();
  };

  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const { method = '', url = '' } = req;
    check(req, url);
    const { origin, 'sec-fetch-site': from } = req.headers;
    // A page on any port of this machine is "same-site", the service's too. Only this page may use /traffic and /faults.
    const isOwn = origin === undefined || origin === `http://${hostOf(req)}`;
    if (!isOwn || (from !== undefined && !['same-origin', 'none'].includes(from) && url !== '/')) {
      throw new Problem(403, 'Only the page of this proxy may use this.');
    }
    if (method === 'GET' && url === '/') {
      res.writeHead(200, {
        'Content-Type': 'text/html; charset=utf-8',
        'Cache-Control': 'no-store',
        ...AS_IT_IS,
        ...page.headers(["'none'"]),
      });
      res.end(page.html);
    } else if (method === 'GET' && url === '/traffic') follow(res);
    else if (method === 'POST' && url === '/faults') await switchFault(req, res);
    else throw new Problem(404, 'There are GET /, GET /traffic and POST /faults.');
  };

  const server = createServer((req, res) => {
    answer(req, res).catch((error: Error) => {
      if (res.headersSent || res.destroyed) return res.destroy();
      if (!(error instanceof Problem)) console.error(error);
      const problem = error instanceof Problem ? error : new Problem(500, 'The page failed at this request: a bug.');
      res.writeHead(problem.status, {
        'Content-Type': 'application/problem+json',
        Connection: 'close',
        ...problem.headers,
      });
      return res.end(JSON.stringify(problem));
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = once(server.close(), 'close');
      server.closeAllConnections();
      await closed;
    },
  };
}
