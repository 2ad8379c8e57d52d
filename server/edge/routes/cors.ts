import type { HttpExchange } from '../http/http-exchange.js';

/** Lets the page of an allowed origin read the answer (Fetch standard, "CORS protocol"). */
export function allow(x: HttpExchange): void {
  x.res.setHeader('Access-Control-Allow-Origin', x.req.headers.origin as string);
  x.res.setHeader('Access-Control-Expose-Headers', 'ETag, Location, Retry-After, Preference-Applied');
  x.res.setHeader('Vary', 'Origin');
}

/** Answers `OPTIONS`: what is allowed here, and to a page's preflight, what the page may send. */
export function preflight(x: HttpExchange, methods: string): void {
  const { headers } = x.req;
  const crossOrigin = headers.origin !== undefined && 'access-control-request-method' in headers;
  const asked = headers['access-control-request-headers'];
  x.empty(204, {
    Allow: methods,
    ...(crossOrigin && {
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Max-Age': 600,
      ...(asked !== undefined && { 'Access-Control-Allow-Headers': asked }),
    }),
  });
}
