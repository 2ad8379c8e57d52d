import { z } from 'zod';
import type { Problem } from '../../core/problem.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { type Route, text } from '../interface/route.js';
import { ISOLATED, MONITOR_POLICY, readPage, renderPage } from '../pages/render-page.js';

const worker = readPage('connections-worker.js');

/** Any port of this machine. In a policy, `http:` and `ws:` stand for `https:` and `wss:`, too (CSP 3, section 6.7.2.8). */
const LOOPBACK = ['http://127.0.0.1:*', 'http://localhost:*', 'http://*.localhost:*'];

/** `GET /`: the server's own page. It speaks to its own server only, and cannot make markup of text (Trusted Types). */
const page = htmlPage('monitor.html', MONITOR_POLICY);

/** `GET /connections`: the page that tries how many streams a browser opens to one host, under several of its names. */
const connectionsPage = htmlPage('connections.html', {
  'connect-src': ["'self'", ...LOOPBACK, ...LOOPBACK.map((source) => source.replace('http', 'ws'))],
  'worker-src': ["'self'"],
});

/** What a browser shows that opens a page without the access token, or with a wrong one: it asks for the token. */
export const tokenPage = (x: HttpExchange, { status, headers }: Problem): void => askForToken(x, status, headers);
const askForToken = htmlPage('token.html', { 'require-trusted-types-for': ["'script'"], 'trusted-types': ["'none'"] });

/** `GET /connections/worker.js`: the SharedWorker of that page, which has to have a URL of its own. */
function connectionsWorker(x: HttpExchange): void {
  x.accepts('text/javascript');
  // A worker has a policy of its own: that of its script's answer.
  const policy = "default-src 'none'; connect-src 'self'";
  x.send(200, 'text/javascript; charset=utf-8', worker, { ...ISOLATED, 'Content-Security-Policy': policy });
}

/**
 * Answers with a page of `server/edge/pages`. JupyterLab may frame it, from any port of this machine or, behind a JupyterHub,
 * from the Hub's own origin. So may the origins of `--allow-origin`. A framed page gives nothing away that those could not have
 * with a request of their own, and its buttons change nothing but what is shown: at most they begin a new, short trial.
 */
function htmlPage(
  name: string,
  policy: Record<string, string[]>,
): (x: HttpExchange, status?: number, more?: Record<string, string>) => void {
  const { html, headers } = renderPage(name, policy);
  return (x, status = 200, more = {}) => {
    if (status === 200) x.accepts('text/html');
    const ancestors = ["'self'", ...LOOPBACK, ...origins(x.context.settings.allowOrigin)];
    x.send(status, 'text/html; charset=utf-8', html, { ...more, ...headers(ancestors) });
  };
}

/** The origins of a list with commas that a policy can name. The setting takes nothing in that could end the directive. */
const origins = (list: string) => list.split(',').filter((origin) => /^https?:/.test(origin));

export const showMonitor: Route = {
  ...{ method: 'GET', path: '/', answer: (x) => page(x), operation: 'monitor', tag: 'server' },
  summary: 'The traffic monitor, a page',
  answers: { 200: text('HTML, in one file.', 'text/html', z.string()) },
};

export const showConnections: Route = {
  ...{
    method: 'GET',
    path: '/connections',
    answer: (x) => connectionsPage(x),
    operation: 'connections',
    tag: 'server',
  },
  summary: 'A page that tries how many streams a browser opens to one host',
  answers: { 200: text('HTML, in one file.', 'text/html', z.string()) },
};

/** The paths of the pages: they may be framed, by those whom their policy names. */
export const PAGES: ReadonlySet<string> = new Set([showMonitor.path, showConnections.path]);

export const runConnectionsWorker: Route = {
  ...{ method: 'GET', path: '/connections/worker.js', answer: connectionsWorker },
  ...{ operation: 'connectionsWorker', tag: 'server', summary: 'The SharedWorker of that page' },
  answers: { 200: text('A classic script.', 'text/javascript', z.string()) },
};
