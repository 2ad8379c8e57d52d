import { setImmediate as nextTurn } from 'node:timers/promises';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { z } from 'zod';
import { TECHNIQUE_NAMES } from '../../techniques.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { type Route, text } from '../interface/route.js';
import type { ServerContext } from '../server-context.js';

const registry = new Registry();
collectDefaultMetrics({ register: registry });
const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
  new Gauge({ name, help, labelNames, registers: [registry] });

const jobs = gauge('polling_lab_jobs_unfinished', 'Jobs that have not ended.');
const waiting = gauge('polling_lab_waiting_clients', 'Long polls, consumers and event streams that wait.');
const held = gauge('polling_lab_events_held', 'Events in the log.');
const requests = gauge('polling_lab_requests_total', 'Requests, by technique.', ['technique']);
const bytes = gauge('polling_lab_bytes_total', 'Bytes on the connections, by technique and direction.', [
  'technique',
  'direction',
]);
const events = gauge('polling_lab_events_sent_total', 'Events sent, by technique.', ['technique']);

/** `GET /metrics`: the process and the course's own counts, as Prometheus reads them. */
export async function metrics(x: HttpExchange): Promise<void> {
  x.accepts('text/plain');
  asking ??= collect(x.context);
  x.send(200, registry.contentType, await asking);
}

/** The metrics, for all requests of this turn of the event loop. */
let asking: Promise<string> | undefined;

/**
 * Collects the metrics: that takes milliseconds, and reads files. It is done once for all requests of this turn, however many
 * they are, and after the last of them has come, so that each sees what was done before it. It never waits for what other
 * clients have yet to take, as a large answer does: it is needed most when they take nothing.
 */
async function collect(context: ServerContext): Promise<string> {
  await nextTurn();
  asking = undefined;
  jobs.set(context.jobs.unfinished);
  waiting.set(context.waiting.count);
  held.set(context.log.all.held);
  const totals = context.ledger.totals(null);
  for (const technique of TECHNIQUE_NAMES) {
    const tally = totals[technique];
    requests.set({ technique }, tally.requests);
    events.set({ technique }, tally.events);
    bytes.set({ technique, direction: 'in' }, tally.bytesIn);
    bytes.set({ technique, direction: 'out' }, tally.bytesOut);
  }
  return registry.metrics();
}

export const readMetrics: Route = {
  ...{ method: 'GET', path: '/metrics', answer: metrics, operation: 'metrics', tag: 'server' },
  summary: 'Counts and gauges, for Prometheus',
  answers: { 200: text("Prometheus' text format.", 'text/plain', z.string()) },
};
