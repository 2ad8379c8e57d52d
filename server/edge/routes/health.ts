import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { HttpExchange } from '../http/http-exchange.js';
import { json, type Route } from '../interface/route.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

/** `GET /healthz`: that it serves, where else, on which engine, and which server it is: its name, and the hash of a token that only its starter knows. */
export function health(x: HttpExchange): void {
  x.accepts('application/json');
  const { httpsUrl, token, engine, settings } = x.context;
  const tokenHash = createHash('sha256').update(token).digest('hex');
  x.json(
    200,
    JSON.stringify({
      status: 'ok',
      version,
      ...{ server: settings.serverName, engine: engine.kind },
      pid: process.pid,
      httpsUrl,
      tokenHash,
    }),
  );
}

export const checkHealth: Route = {
  ...{ method: 'GET', path: '/healthz', answer: health, operation: 'health', tag: 'server' },
  summary: 'That it serves, where else, and which server it is',
  answers: {
    200: json(
      'It serves.',
      z
        .object({
          status: z.literal('ok'),
          version: z.string(),
          server: z.string().describe('The name of this server (--server-name).'),
          engine: z.enum(['sqlite', 'redis']).describe('What keeps the log.'),
          pid: z.int(),
          httpsUrl: z
            .string()
            .meta({ format: 'uri' })
            .describe('The same server over TLS, with HTTP/2; its certificate is signed by nobody else.'),
          tokenHash: z
            .string()
            .regex(/^[0-9a-f]{64}$/)
            .describe('SHA-256 of a token that only whoever started the server knows.'),
        })
        .meta({ id: 'Health' }),
    ),
  },
};
