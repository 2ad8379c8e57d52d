import { z } from 'zod';
import type { HttpExchange } from '../http/http-exchange.js';
import { describe } from '../interface/openapi.js';
import { json, type Route } from '../interface/route.js';
import { cancelJob } from './cancel.js';
import { checkHealth } from './health.js';
import { listJobs } from './list.js';
import { finishJob, progressJob } from './manual.js';
import { readMetrics } from './metrics.js';
import { runConnectionsWorker, showConnections, showMonitor } from './pages.js';
import { getJob, getResult, readEvents, readJobEvents, submitJob } from './techniques.js';
import { readTraffic } from './traffic.js';

/** `GET /openapi.json`: the interface, described. It is made once, from the routes. */
const describeInterface: Route = {
  ...{ method: 'GET', path: '/openapi.json', operation: 'describe', tag: 'server', summary: 'This description' },
  answer(x: HttpExchange): void {
    x.accepts('application/json');
    x.json(200, description());
  },
  answers: {
    200: json('OpenAPI 3.1.', z.looseObject({ openapi: z.string(), info: z.unknown(), paths: z.unknown() })),
  },
};
/** The text of that answer. */
export const description = (): string => {
  described ??= JSON.stringify(describe(declared));
  return described;
};
let described: string | undefined;

/** Every route there is: to add one, declare it in a file of this folder, and name it here. */
const declared: Route[] = [
  ...[listJobs, submitJob, getJob, cancelJob, getResult, readJobEvents, progressJob, finishJob],
  ...[readEvents, readTraffic, checkHealth, readMetrics, describeInterface],
  ...[showConnections, runConnectionsWorker, showMonitor],
];

/** The route of each method of a path. `HEAD` is answered as `GET` is. */
export const routes: ReadonlyMap<string, Record<string, Route>> = table(declared);

function table(declared: Route[]): Map<string, Record<string, Route>> {
  const paths = new Map<string, Record<string, Route>>();
  for (const route of declared) paths.set(route.path, { ...paths.get(route.path), [route.method]: route });
  return paths;
}
