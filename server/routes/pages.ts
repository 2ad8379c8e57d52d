import { readFileSync } from 'node:fs';
import type { Exchange } from '../http/exchange.js';

const read = (name: string) => readFileSync(new URL(`../pages/${name}`, import.meta.url), 'utf8');
const openapi = read('openapi.json');
const monitor = read('monitor.html');
const connections = read('connections.html');
const worker = read('connections-worker.js');

/** `GET /openapi.json`: the interface, described. */
export function description(x: Exchange): void {
  x.accepts('application/json');
  x.json(200, openapi);
}

/** `GET /`: the server's own page. */
export function page(x: Exchange): void {
  x.accepts('text/html');
  x.send(200, 'text/html; charset=utf-8', monitor);
}

/** `GET /connections`: the page that tries how many streams a browser opens to one host. */
export function connectionsPage(x: Exchange): void {
  x.accepts('text/html');
  x.send(200, 'text/html; charset=utf-8', connections);
}

/** `GET /connections/worker.js`: the SharedWorker of that page, which has to have a URL of its own. */
export function connectionsWorker(x: Exchange): void {
  x.accepts('text/javascript');
  x.send(200, 'text/javascript; charset=utf-8', worker);
}
