import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Exchange } from '../http/exchange.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** `GET /healthz`: that it serves, where else, and which server it is: the hash of a token that only its starter knows. */
export function health(x: Exchange): void {
  x.accepts('application/json');
  const { httpsUrl, token } = x.app;
  const tokenHash = createHash('sha256').update(token).digest('hex');
  x.json(200, JSON.stringify({ status: 'ok', version, pid: process.pid, httpsUrl, tokenHash }));
}
