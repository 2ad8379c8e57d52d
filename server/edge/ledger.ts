import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TECHNIQUE_NAMES, type Technique } from '../techniques.js';
import { payloadOf, streamOf } from './http/http2.js';
import type { Connection as Carrier, Lifetime } from './http/lifetime.js';

/** The longest method that is served, or kept. */
export const MAX_METHOD = 32;

/** What was counted of one technique. */
export interface Tally {
  requests: number;
  bytesIn: number;
  bytesOut: number;
  events: number;
  open: number;
}
export type Totals = Record<Technique, Tally>;

/** What a client names with the header `Experiment`. */
interface Experiment {
  readonly name: string;
  /** The sums of its rows that are closed. */
  readonly closed: Totals;
  /** How many of its rows are open. */
  open: number;
}

/** One request, as the server saw it. Times are milliseconds since the epoch. */
export class Row {
  route: string | null = null;
  experiment: Experiment | null = null;
  technique: Technique = 'other';
  status: number | null = null;
  readonly arrivedAt = Date.now();
  readonly #arrived = performance.now();
  answeredAt: number | null = null;
  endedAt: number | null = null;
  bytesIn = 0;
  bytesOut = 0;
  events = 0;
  /** Grows with every change, so that a live reader can ask for what changed since it last looked. */
  revision = 0;
  /** Whether nothing of it can change any more. */
  settled = false;
  private text: string | null = null;

  constructor(
    readonly id: number,
    readonly method: string,
    readonly protocol: string,
    readonly connection: number,
  ) {}

  /** The time to tell now: after the arrival by what the monotonic clock measured, also when the wall clock was set. */
  now(): number {
    return this.arrivedAt + Math.round(performance.now() - this.#arrived);
  }

  /** What a client sees of it: made once when the row can no longer change, since the ledger is read over and over. */
  json(): string {
    if (this.text !== null) return this.text;
    const { revision, settled, text, id, method, ...row } = this;
    const json = JSON.stringify({
      ...{ id, method, ...row, experiment: row.experiment?.name ?? null },
      arrivedAt: timestamp(row.arrivedAt),
      answeredAt: timestamp(row.answeredAt),
      endedAt: timestamp(row.endedAt),
    });
    if (settled) this.text = json;
    return json;
  }
}

/** RFC 3339, in UTC. */
const timestamp = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

/**
 * How far the bytes of one HTTP/1.1 connection have been shared out among its requests. Responses leave in the
 * order of the requests (RFC 9112, section 9.3.2), so each request owns what passed since the one before it.
 */
interface Connection {
  bytesIn: number;
  bytesOut: number;
  /** The newest request, until it is over; with pipelining, others are still being answered. */
  latest: Entry | null;
}

interface Entry {
  row: Row;
  req: IncomingMessage;
  res: ServerResponse;
  socket: Socket;
  connection: Connection;
  /** Whether the row's bytes are known for good, and belong to no other request. */
  settledIn: boolean;
  settledOut: boolean;
}

/** What the server saw: a row a request, bounded, and totals that stay exact whatever happens to the rows. */
export class Ledger {
  private rows: Row[] = [];
  private readonly open = new Map<Row, Entry>();
  private readonly all = zeros();
  /** By name, the one longest unused first. */
  private readonly experiments = new Map<string, Experiment>();
  private readonly connections = new WeakMap<Carrier, Connection>();
  private nextRow = 1;
  /** The newest revision of any row. */
  revision = 0;

  constructor(
    private readonly maxRows: number,
    private readonly maxExperiments: number,
  ) {}

  /** Begins to count a request. `counted` is false for a look at the ledger itself, which leaves no trace in it. */
  begin(req: IncomingMessage, res: ServerResponse, lifetime: Lifetime, counted: boolean): Row {
    const carrier = lifetime.connection;
    const { socket } = carrier;
    const stream = streamOf(req);
    let connection = this.connections.get(carrier);
    if (!connection) {
      connection = { bytesIn: 0, bytesOut: 0, latest: null };
      this.connections.set(carrier, connection);
    }
    const protocol = stream ? 'HTTP/2' : `HTTP/${req.httpVersion}`;
    const row = new Row(
      counted ? this.nextRow++ : 0,
      (req.method as string).slice(0, MAX_METHOD),
      protocol,
      carrier.id,
    );
    // What a stream carries is its own from the first byte.
    const entry: Entry = { row, req, res, socket, connection, settledIn: stream !== null, settledOut: stream !== null };
    if (connection.latest) this.passedBy(connection.latest);
    connection.latest = entry;
    if (counted) {
      this.open.set(row, entry);
      this.rows.push(row);
      // Twice the bound before half of it goes: one move of the array for many rows.
      if (this.rows.length >= 2 * this.maxRows) this.rows = this.rows.slice(-this.maxRows);
      this.touch(row);
    }
    // Before Node's own listener, which hands the connection to the next pipelined response.
    res.prependListener('finish', () => this.settleOut(entry));
    lifetime.onEnd(() => this.end(entry));
    lifetime.onSettle(() => this.settle(entry));
    return row;
  }

  /** Puts an open row under the experiment's name. Past the bound, the name longest unused that has no open row goes. */
  name(row: Row, name: string): void {
    let experiment = this.find(name);
    if (!experiment) {
      if (this.experiments.size >= this.maxExperiments) this.forgetOne();
      experiment = { name, closed: zeros(), open: 0 };
      this.experiments.set(name, experiment);
    }
    experiment.open += 1;
    row.experiment = experiment;
  }

  /** The experiment of that name, which is in use now. */
  private find(name: string): Experiment | undefined {
    const experiment = this.experiments.get(name);
    if (experiment) {
      this.experiments.delete(name);
      this.experiments.set(name, experiment);
    }
    return experiment;
  }

  /** There may be more names than the bound, but no more than open rows: each is somebody's at this moment. */
  private forgetOne(): void {
    for (const [name, { open }] of this.experiments) {
      if (open > 0) continue;
      this.experiments.delete(name);
      return;
    }
  }

  /** Marks a row as changed. */
  touch(row: Row): void {
    row.revision = ++this.revision;
  }

  /** The rows that are held, oldest first, brought up to date. */
  read(name: string | null, since = 0): Row[] {
    // Not by name: the rows of an experiment that went are not of a later one that is called the same.
    const experiment = name === null ? null : this.find(name);
    if (experiment === undefined) return [];
    const wanted = (row: Row) => row.revision > since && (experiment === null || row.experiment === experiment);
    const rows = this.rows.slice(-this.maxRows).filter(wanted);
    for (const row of rows) {
      const entry = this.open.get(row);
      if (entry) this.measure(entry);
    }
    return rows;
  }

  totals(name: string | null): Totals {
    const experiment = name === null ? null : this.find(name);
    if (experiment === undefined) return zeros();
    const totals = structuredClone(experiment?.closed ?? this.all);
    for (const [row, entry] of this.open) {
      if (experiment !== null && row.experiment !== experiment) continue;
      this.measure(entry);
      add(totals[row.technique], row);
      if (row.endedAt === null) totals[row.technique].open += 1;
    }
    return totals;
  }

  /** Brings the bytes of an open row up to date. */
  private measure(entry: Entry): void {
    const { row, req, res, socket, connection } = entry;
    const payload = payloadOf(req, res);
    if (payload) [row.bytesIn, row.bytesOut] = payload;
    if (!entry.settledIn && connection.latest === entry) row.bytesIn = socket.bytesRead - connection.bytesIn;
    // Without a socket the response is queued behind another one: nothing of it was written yet.
    if (!entry.settledOut && res.socket) row.bytesOut = socket.bytesWritten - connection.bytesOut;
  }

  /**
   * Another request has come on the connection before this one was done with (pipelining): the bytes read so far may
   * be of both. This one's own length follows from its head, and from the announced length of its body.
   */
  private passedBy(entry: Entry): void {
    if (entry.settledIn) return;
    const { row, req, connection } = entry;
    let head = `${req.method} ${req.url} HTTP/1.1\r\n\r\n`.length;
    for (const part of req.rawHeaders) head += part.length + 2; // ": " after a name, CRLF after a value
    row.bytesIn = head + Number(req.headers['content-length'] ?? 0);
    connection.bytesIn += row.bytesIn;
    entry.settledIn = true;
  }

  /** `socket.bytesWritten` counts what waits in Node's buffer too: it covers this response whole, and nothing after it. */
  private settleOut(entry: Entry): void {
    this.measure(entry);
    entry.settledOut = true;
    entry.connection.bytesOut += entry.row.bytesOut;
  }

  /** The response is over. The request may not be: a refused upload is still read to its end, and counted. */
  private end(entry: Entry): void {
    const { row, socket } = entry;
    if (!entry.settledOut) {
      row.bytesOut = Math.max(row.bytesOut, socket.bytesWritten - entry.connection.bytesOut); // cut off
      this.settleOut(entry);
    }
    row.endedAt = row.now();
    if (this.open.has(row)) this.touch(row);
  }

  private settle(entry: Entry): void {
    const { row, socket, connection } = entry;
    this.measure(entry);
    if (!entry.settledIn) connection.bytesIn = socket.bytesRead;
    entry.settledIn = true;
    // A connection that is idle would keep its last request, and all that hangs on it.
    if (connection.latest === entry) connection.latest = null;
    row.settled = true;
    if (!this.open.delete(row)) return;
    add(this.all[row.technique], row);
    if (row.experiment === null) return;
    add(row.experiment.closed[row.technique], row);
    row.experiment.open -= 1;
  }
}

function zeros(): Totals {
  const tally = (): Tally => ({ requests: 0, bytesIn: 0, bytesOut: 0, events: 0, open: 0 });
  return Object.fromEntries(TECHNIQUE_NAMES.map((technique) => [technique, tally()])) as Totals;
}

function add(tally: Tally, row: Row): void {
  tally.requests += 1;
  tally.bytesIn += row.bytesIn;
  tally.bytesOut += row.bytesOut;
  tally.events += row.events;
}
