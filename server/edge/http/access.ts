import { hash, timingSafeEqual } from 'node:crypto';
import { Problem } from '../../core/problem.js';
import type { HttpExchange } from './http-exchange.js';

const digest = (token: string): Buffer => hash('sha256', token, 'buffer');
/** RFC 6750, section 3: the answer to a request without the token names the scheme, and no error if there was no token at all. */
const challenge = (error = '') => ({
  'WWW-Authenticate': `Bearer realm="Polling Lab"${error && `, error="${error}"`}`,
});

/** No token came. */
export const NO_TOKEN = new Problem(
  401,
  'Expected the access token of this server, got none. Send "Authorization: Bearer TOKEN", or ?access_token=TOKEN where you cannot set a header. The person who started the server has the token.',
  challenge(),
);
const WRONG_TOKEN = new Problem(
  401,
  'This is not the access token of this server. Ask the person who started it for the token.',
  challenge('invalid_token'),
);
const TWO_TOKENS = new Problem(
  400,
  'The access token came more than once. Send it as a header or in the query, once.',
  challenge('invalid_request'),
);

/** Who may use the server: everybody, or those who send its access token (RFC 6750). */
export class Access {
  readonly #digest: Buffer | null;

  /** @param token - empty: everybody may use it. */
  constructor(token: string) {
    this.#digest = token === '' ? null : digest(token);
  }

  /**
   * Why a request may not be answered; null if it may. It removes the token from the query, so that no later code can store it or
   * send it.
   */
  refusal(x: HttpExchange): Problem | null {
    if (this.#digest === null) return null;
    const { authorization } = x.req.headers;
    const sent = x.query.getAll('access_token');
    if (sent.length > 0) {
      x.query.delete('access_token');
      x.isPrivate = true;
    }
    const bearer = authorization === undefined ? undefined : /^bearer +(.*)$/i.exec(authorization)?.[1];
    if (bearer !== undefined) sent.push(bearer.trimEnd());
    if (sent.length === 0) return NO_TOKEN;
    // RFC 6750, section 2: a client must not use more than one method to send it.
    if (sent.length > 1) return TWO_TOKENS;
    // Digests have one length, and are compared in the same time wherever they differ.
    return timingSafeEqual(digest(sent[0] as string), this.#digest) ? null : WRONG_TOKEN;
  }
}
