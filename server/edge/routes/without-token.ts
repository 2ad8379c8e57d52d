import type { Problem } from '../../core/problem.js';
import { NO_TOKEN } from '../http/access.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { isPreflight, preflight } from './cors.js';
import { healthWithoutToken } from './health.js';
import { PAGES, tokenPage } from './pages.js';

/** What a preflight is told that has no token: the same for every path, so that it learns of none. */
const METHODS = 'GET, HEAD, POST, DELETE, OPTIONS';

/**
 * Answers a client that has not shown the access token. It learns that the server is alive, and nothing else.
 *
 * @param refusal - why it is not let in: 401 or 400.
 */
export function answerWithoutToken(x: HttpExchange, refusal: Problem): void {
  const { req, path } = x;
  if (req.method !== 'POST') x.dropBody();
  const reads = req.method === 'GET' || req.method === 'HEAD';
  // A browser sends it before a request that bears the token, and without it (Fetch standard, "CORS-preflight fetch").
  if (isPreflight(req)) preflight(x, METHODS);
  else if (reads && path === '/healthz' && refusal === NO_TOKEN) healthWithoutToken(x);
  else if (reads && PAGES.has(path) && req.headers.accept?.includes('text/html')) tokenPage(x, refusal);
  else x.problem(refusal);
}
