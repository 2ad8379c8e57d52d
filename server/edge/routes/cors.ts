import type { IncomingMessage } from 'node:http';
import type { HttpExchange } from '../http/http-exchange.js';

/** Lets the page of an allowed origin read the answer (Fetch standard, "CORS protocol"). */
export function allow(x: HttpExchange): void {
  x.res.setHeader('Access-Control-Allow-Origin', x.req.headers.origin as string);
  x.res.setHeader('Access-Control-Expose-Headers', 'ETag, Location, Retry-After, Preference-Applied');
  x.res.setHeader('Vary', 'Origin');
}

/** Whether a browser asks what a page of another origin may send (Fetch standard, "CORS-preflight request"). */
export const isPreflight = ({ method, headers }: IncomingMessage): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && 'access-control-request-method' in headers;

/** Answers `OPTIONS`: what is allowed here, and to a page's preflight, what the page may send. */
export function preflight(x: HttpExchange, methods: string): void {
  const { headers } = x.req;
  const asked = headers['access-control-request-headers'];
  x.empty(204, {
    Allow: methods,
    ...(isPreflight(x.req) && {
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Max-Age': 600,
      ...(asked !== undefined && { 'Access-Control-Allow-Headers': asked }),
    }),
  });
}
