import { z } from 'zod';
import { EventStream, streamHead } from '../../core/techniques/event-stream.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { HEADERS, RESPONSES } from '../interface/parts.js';
import type { Route } from '../interface/route.js';
import * as schemas from '../interface/schemas.js';
import type { Ledger } from '../ledger.js';

/** How often a live reader hears of what changed, in milliseconds. */
export const TICK_MS = 100;

/** `GET /traffic`: what the server saw of an experiment, or of all. */
export async function traffic(x: HttpExchange): Promise<void> {
  const experiment = x.query.get('experiment') || null;
  const type = x.accepts('application/json', 'text/event-stream');
  if (type === 'text/event-stream' && x.req.method === 'HEAD') return streamHead(x);
  // All the rows take megabytes, and milliseconds to write.
  await x.turn();
  if (type === 'application/json') x.json(200, trafficJson(x.context.ledger, experiment));
  else live(x, experiment);
}

/** The rows of an experiment that changed since a revision of the ledger, and the totals. */
export function trafficJson(ledger: Ledger, experiment: string | null, since?: number): string {
  const rows = ledger.read(experiment, since).map((row) => row.json());
  return `{"requests":[${rows.join(',')}],"totals":${JSON.stringify(ledger.totals(experiment))}}`;
}

/** The same, live: an event `traffic` with the rows that changed (a row's `id` says which) and the totals. */
function live(x: HttpExchange, experiment: string | null): void {
  const { ledger } = x.context;
  let seen = -1;
  let asked = false;
  const tick = async () => {
    if (asked || seen === ledger.revision || out.full) return;
    asked = true;
    if (seen >= 0) await x.turn(); // many readers take turns with everybody else
    asked = false;
    const changes = trafficJson(ledger, experiment, Math.max(seen, 0));
    seen = ledger.revision;
    out.write(`event: traffic\ndata: ${changes}\n\n`);
  };
  const out = new EventStream(
    x,
    () => void tick(),
    () => clearInterval(ticks),
  );
  const ticks = setInterval(() => void tick(), TICK_MS);
  void tick();
}

export const readTraffic: Route = {
  ...{ method: 'GET', path: '/traffic', answer: traffic, operation: 'readTraffic', tag: 'ledger' },
  summary: 'The ledger: what the server saw',
  description:
    'A row for every request, and totals for each technique. As `text/event-stream` it is live: an event `traffic` with the rows that changed (`id` says which) and the totals. Looking at the ledger is not counted in it. Rows are bounded: the oldest go, and the totals stay exact for as long as the server lives.',
  takes: [
    {
      ...{ in: 'query', name: 'experiment', schema: z.string().max(100) },
      description: 'Only the requests of this experiment. Without it, all of them.',
    },
  ],
  answers: {
    200: {
      description: 'The ledger.',
      headers: [HEADERS['X-Accel-Buffering']],
      content: {
        'application/json': { schema: schemas.traffic },
        'text/event-stream': {
          schema: z.string().describe('Server-sent events: `traffic`, with a Traffic as data.'),
          example: 'retry: 1000\n\nevent: traffic\ndata: {"requests":[],"totals":{}}\n\n',
        },
      },
    },
    503: RESPONSES.Unavailable,
  },
};
