import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Problem } from '../../core/problem.js';
import { isWildcard } from '../addresses.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { json, type Route } from '../interface/route.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

/** `GET /healthz`: that it serves, where else, on which engine, and which server it is: its name, and the hash of a token that only its starter knows. */
export function health(x: HttpExchange): void {
  x.accepts('application/json');
  const { token, engine, settings } = x.context;
  const tokenHash = createHash('sha256').update(token).digest('hex');
  x.json(
    200,
    JSON.stringify({
      status: 'ok',
      version,
      ...{ server: settings.serverName, engine: engine.kind },
      pid: process.pid,
      httpsUrl: httpsUrlFor(x),
      tokenHash,
      ...proof(x),
    }),
  );
}

/** `GET /healthz` for a client that has not shown the access token: that it serves, and the proof, if the client asks for it. */
export const healthWithoutToken = (x: HttpExchange): void => x.json(200, JSON.stringify({ status: 'ok', ...proof(x) }));

/**
 * The HMAC-SHA-256 (RFC 2104) of the client's challenge, whose key is the token in the state file. Whoever reads that file can
 * tell by it whether this is the server of the file, before it sends an access token; to others it is a random number.
 */
function proof({ query, context }: HttpExchange): { proof?: string } {
  const challenge = query.get('challenge');
  if (challenge === null) return {};
  if (!CHALLENGE.test(challenge))
    throw new Problem(400, 'challenge expects 32 to 128 hexadecimal digits, chosen at random, got something else.');
  return { proof: createHmac('sha256', context.token).update(challenge).digest('hex') };
}

const CHALLENGE = /^[0-9a-f]{32,128}$/;

const PROOF = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .optional()
  .describe(
    'Where a challenge came: its HMAC-SHA-256, whose key is the token that only whoever started the server knows.',
  );

/** Where this client finds the server over HTTPS: one that listens on all addresses is there at the host that the client uses. */
function httpsUrlFor({ context: { httpsUrl, settings }, req }: HttpExchange): string {
  const host = req.headers.host ?? (req.headers[':authority'] as string | undefined);
  if (!isWildcard(settings.listen) || host === undefined) return httpsUrl;
  const url = new URL(httpsUrl);
  url.hostname = host.replace(/:\d*$/, '');
  return url.origin;
}

const ALIVE = z
  .strictObject({ status: z.literal('ok'), proof: PROOF })
  .meta({ id: 'Alive', description: 'All that a client without the access token learns.' });

export const checkHealth: Route = {
  ...{ method: 'GET', path: '/healthz', answer: health, operation: 'health', tag: 'server' },
  summary: 'That it serves, where else, and which server it is',
  takes: [
    {
      ...{ in: 'query', name: 'challenge', schema: z.string().regex(CHALLENGE) },
      description: 'Random hexadecimal digits, for the server to prove that it is the one of the state file.',
    },
  ],
  answers: {
    200: json(
      'It serves.',
      z.union([
        ALIVE,
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
              .describe('The same server over TLS, with HTTP/2; its certificate is self-signed.'),
            tokenHash: z
              .string()
              .regex(/^[0-9a-f]{64}$/)
              .describe('SHA-256 of a token that only whoever started the server knows.'),
            proof: PROOF,
          })
          .meta({ id: 'Health' }),
      ]),
    ),
  },
};
