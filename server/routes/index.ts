import type { Exchange } from '../http/exchange.js';
import { cancel } from './cancel.js';
import { allEvents, jobEvents } from './events.js';
import { health } from './health.js';
import { list } from './list.js';
import { finish, progress } from './manual.js';
import { metrics } from './metrics.js';
import { connectionsPage, connectionsWorker, description, page } from './pages.js';
import { result } from './result.js';
import { status } from './status.js';
import { submit } from './submit.js';
import { traffic } from './traffic.js';

export type Answer = (x: Exchange) => void | Promise<void>;

/** Every path, and what answers each of its methods. `HEAD` is answered as `GET` is. */
export const routes: ReadonlyMap<string, Record<string, Answer>> = new Map<string, Record<string, Answer>>([
  ['/jobs', { GET: list, POST: submit }],
  ['/jobs/{id}', { GET: status, DELETE: cancel }],
  ['/jobs/{id}/result', { GET: result }],
  ['/jobs/{id}/events', { GET: jobEvents }],
  ['/jobs/{id}/progress', { POST: progress }],
  ['/jobs/{id}/finish', { POST: finish }],
  ['/events', { GET: allEvents }],
  ['/traffic', { GET: traffic }],
  ['/healthz', { GET: health }],
  ['/metrics', { GET: metrics }],
  ['/openapi.json', { GET: description }],
  ['/connections', { GET: connectionsPage }],
  ['/connections/worker.js', { GET: connectionsWorker }],
  ['/', { GET: page }],
]);
