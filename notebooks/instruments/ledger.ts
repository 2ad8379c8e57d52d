import { setTimeout as sleep } from 'node:timers/promises';
import { server } from './connect.js';
import { type Experiment, explained } from './experiment.js';
import { table } from './table.js';
import type { Technique } from './technique.js';

/** A request as the server's ledger has it. Times are RFC 3339, in UTC. */
export interface LedgerRow {
  method: string;
  route: string;
  experiment: string | null;
  technique: Technique;
  status: number | null;
  arrivedAt: string;
  /** When the head of the response went out; null while the request is held. */
  answeredAt: string | null;
  /** When the response was over; null while it is open. */
  endedAt: string | null;
  /** HTTP/1.1: bytes on the connection, heads and framing included. HTTP/2: the payload of its DATA frames. */
  bytesIn: number;
  bytesOut: number;
  /** How many events were sent on it. */
  events: number;
  /** Which TCP connection it came on. */
  connection: number;
  protocol: string;
  /** The name of the server that answered; a proxy's record has none. */
  server?: string;
}

export interface Totals {
  requests: number;
  bytesIn: number;
  bytesOut: number;
  events: number;
  open: number;
}

/** What the server saw of an experiment: one row per request, and sums for each technique. */
export interface Ledger {
  requests: LedgerRow[];
  totals: Record<Technique, Totals>;
}

/** How long to wait for the last bytes to be booked, in milliseconds. */
const SETTLE_MS = 5_000;

/**
 * Reads what the server's ledger says of an experiment. Requests that the client has answered are waited
 * for until they are booked; those that are still open stay open in it. Of several servers, the ledgers are added up.
 */
export async function ledger(
  run: Pick<Experiment<unknown>, 'name' | 'rows'>,
  url: string | string[] = server().url,
): Promise<Ledger> {
  const open = run.rows.filter((row) => row.endedAt === null).length;
  const until = Date.now() + SETTLE_MS;
  for (;;) {
    const seen = addUp(await Promise.all([url].flat().map((each) => readLedger(run.name, each))));
    const unsettled = seen.requests.filter((row) => row.endedAt === null).length;
    if (unsettled <= open || Date.now() > until) return seen;
    await sleep(20);
  }
}

/**
 * Hears both witnesses: what the client counted, and what the server's ledger counted, for each technique.
 * Shows them side by side, and throws if they differ by a single request. Returns what the ledger says.
 */
export async function witnesses(
  run: Pick<Experiment<unknown>, 'name' | 'rows'>,
  url: string | string[] = server().url,
): Promise<Ledger> {
  const seen = await ledger(run, url);
  const counts = tally(run, seen);
  table(
    counts.map(({ technique, client, ledger }) => ({
      technique,
      'client sent': client,
      'ledger saw': ledger,
    })),
  );
  const differ = counts.find(({ client, ledger }) => client !== ledger);
  if (!differ) return seen;
  const { technique, client, ledger: saw } = differ;
  throw new Error(
    `The witnesses disagree about ${technique}: the client sent ${client} requests, the ledger saw ${saw}. ` +
      'Did a request bypass the recorded fetch, or was one lost?',
  );
}

function tally(run: Pick<Experiment<unknown>, 'rows'>, seen: Ledger) {
  const techniques = Object.keys(seen.totals) as Technique[];
  return techniques
    .map((technique) => ({
      technique,
      client: run.rows.filter((row) => row.technique === technique).length,
      ledger: seen.totals[technique].requests,
    }))
    .filter(({ client, ledger }) => client + ledger > 0);
}

/** The ledgers of several servers as one: their rows in the order of arrival, their totals added up. */
function addUp([first, ...others]: Ledger[]): Ledger {
  return others.reduce(
    (sum, { requests, totals }) => ({
      requests: [...sum.requests, ...requests].sort((a, b) => Date.parse(a.arrivedAt) - Date.parse(b.arrivedAt)),
      totals: Object.fromEntries(
        Object.entries(sum.totals).map(([technique, one]) => {
          const other = totals[technique as Technique];
          const keys = Object.keys(one) as (keyof Totals)[];
          return [technique, Object.fromEntries(keys.map((key) => [key, one[key] + other[key]]))];
        }),
      ) as unknown as Record<Technique, Totals>,
    }),
    first as Ledger,
  );
}

/** What the ledger says of an experiment at this moment. */
export async function readLedger(name: string, url: string): Promise<Ledger> {
  const traffic = new URL(`${url}/traffic?experiment=${encodeURIComponent(name)}`);
  const response = await fetch(traffic).catch((error) => {
    throw explained(error, traffic);
  });
  if (!response.ok) throw new Error(`The ledger could not be read: ${response.status} ${await response.text()}`);
  return (await response.json()) as Ledger;
}
