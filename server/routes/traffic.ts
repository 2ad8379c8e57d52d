import { EventStream, streamHead } from '../http/event-stream.js';
import type { Exchange } from '../http/exchange.js';

/** How often a live reader hears of what changed, in milliseconds. */
const TICK_MS = 100;

/** `GET /traffic`: what the server saw of an experiment, or of all. */
export function traffic(x: Exchange): void {
  const experiment = x.query.get('experiment') || null;
  const type = x.accepts('application/json', 'text/event-stream');
  if (type === 'application/json') x.json(200, read(x, experiment));
  else if (x.req.method === 'HEAD') streamHead(x);
  else live(x, experiment);
}

const read = ({ app: { ledger } }: Exchange, experiment: string | null, since?: number): string =>
  JSON.stringify({ requests: ledger.read(experiment, since), totals: ledger.totals(experiment) });

/** The same, live: an event `traffic` with the rows that changed (a row's `id` says which) and the totals. */
function live(x: Exchange, experiment: string | null): void {
  const { app } = x;
  let seen = -1;
  const tick = () => {
    if (app.stopping) out.end();
    if (app.stopping || seen === app.ledger.revision || out.full) return;
    const changes = read(x, experiment, Math.max(seen, 0));
    seen = app.ledger.revision;
    out.write(`event: traffic\ndata: ${changes}\n\n`);
  };
  const out = new EventStream(x, tick, () => clearInterval(ticks));
  const ticks = setInterval(tick, TICK_MS);
  tick();
}
