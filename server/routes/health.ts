import { createHash } from 'node:crypto';
import type { Exchange } from '../http/exchange.js';
import { VERSION } from '../version.js';

/** `GET /healthz`: that it serves, where else, and which server it is: the hash of a token that only its starter knows. */
export function health(x: Exchange): void {
  x.accepts('application/json');
  const { httpsUrl, token } = x.app;
  const tokenHash = createHash('sha256').update(token).digest('hex');
  x.json(200, JSON.stringify({ status: 'ok', version: VERSION, pid: process.pid, httpsUrl, tokenHash }));
}
