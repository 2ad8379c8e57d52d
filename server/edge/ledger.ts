import { TECHNIQUE_NAMES, type Technique } from '../techniques.js';

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
  /** Where it stands among the open rows. */
  place = 0;
  private text: string | null = null;

  constructor(
    private readonly ledger: Ledger,
    readonly id: number,
    readonly method: string,
    readonly protocol: string,
    readonly connection: number,
    /** Counts its bytes until it is settled. */
    public bytes: ByteCount | null,
  ) {}

  /** The time now: the arrival, and what the monotonic clock has measured since. The wall clock may have been set. */
  now(): number {
    return this.arrivedAt + Math.round(performance.now() - this.#arrived);
  }

  /** What a client sees of it: made once when the row can no longer change, since the ledger is read over and over. */
  json(): string {
    if (this.text !== null) return this.text;
    const { id, method, route, technique, status, bytesIn, bytesOut, events, protocol, connection } = this;
    const json = JSON.stringify({
      ...{ id, method, route, experiment: this.experiment?.name ?? null, technique, status },
      arrivedAt: timestamp(this.arrivedAt),
      answeredAt: timestamp(this.answeredAt),
      endedAt: timestamp(this.endedAt),
      ...{ bytesIn, bytesOut, events, protocol, connection, server: this.ledger.server },
    });
    if (this.settled) this.text = json;
    return json;
  }

  /** The answer is handed to Node whole. */
  finish(): void {
    this.bytes?.finish();
  }

  /** The response is over. The request may not be: a refused upload is still read to its end, and counted. */
  end(): void {
    this.bytes?.end();
    this.endedAt = this.now();
    if (this.id > 0) this.ledger.touch(this);
  }

  /** Nothing more is received or sent. */
  settle(): void {
    this.bytes?.settle();
    this.ledger.settle(this);
  }
}

/** RFC 3339, in UTC. */
const timestamp = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

/** What counts the bytes of a request, by whatever it comes. */
export interface ByteCount {
  /** Brings both counts up to date. */
  measure(): void;
  /** The answer is handed to Node whole: it covers what was written on its connection so far. */
  finish(): void;
  /** The response is over: what was sent is known for good. */
  end(): void;
  /** The request is over as well. */
  settle(): void;
  /** Bytes received and sent so far. */
  readonly received: number;
  readonly sent: number;
}

/** What the server saw: a row a request, bounded, and totals that stay exact whatever happens to the rows. */
export class Ledger {
  private rows: Row[] = [];
  /** A list, in no order: to add a row to a map, and to take it off, costs several times as much. */
  private readonly open: Row[] = [];
  private readonly all = zeros();
  /** By name, the one longest unused first. */
  private readonly experiments = new Map<string, Experiment>();
  private nextRow = 1;
  /** The newest revision of any row. */
  revision = 0;

  constructor(
    /** The name of the server. */
    readonly server: string,
    private readonly maxRows: number,
    private readonly maxExperiments: number,
  ) {}

  /**
   * Begins to count a request; `end` and `settle` of its row end it. `counted` is false for a look at the ledger itself, which leaves
   * no trace in it. A row's id is 0 then.
   */
  begin(request: { method: string; protocol: string; connection: number; bytes: ByteCount; counted?: boolean }): Row {
    const { method, protocol, connection, bytes, counted = true } = request;
    const row = new Row(this, counted ? this.nextRow++ : 0, method.slice(0, MAX_METHOD), protocol, connection, bytes);
    if (counted) {
      row.place = this.open.push(row) - 1;
      this.rows.push(row);
      // Twice the bound before half of it goes: one move of the array for many rows.
      if (this.rows.length >= 2 * this.maxRows) this.rows = this.rows.slice(-this.maxRows);
      this.touch(row);
    }
    return row;
  }

  /** Puts an open row under the experiment's name. Past the bound, the name longest unused that has no open row goes. */
  name(row: Row, name: string): void {
    let experiment = this.find(name);
    if (!experiment) {
      this.forget(this.maxExperiments - 1);
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

  /**
   * Forgets the experiments that were unused for the longest time, until `most` are left. An experiment with open rows stays,
   * so that there may be more names than the bound, but never more than open rows.
   */
  private forget(most: number): void {
    if (this.experiments.size <= most) return;
    for (const [name, { open }] of this.experiments) {
      if (open > 0) continue;
      this.experiments.delete(name);
      if (this.experiments.size <= most) return;
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
    for (const row of rows) this.measure(row);
    return rows;
  }

  totals(name: string | null): Totals {
    const experiment = name === null ? null : this.find(name);
    if (experiment === undefined) return zeros();
    const totals = structuredClone(experiment?.closed ?? this.all);
    for (const row of this.open) {
      if (experiment !== null && row.experiment !== experiment) continue;
      this.measure(row);
      add(totals[row.technique], row);
      if (row.endedAt === null) totals[row.technique].open += 1;
    }
    return totals;
  }

  /** Adds a row to the totals for good. */
  settle(row: Row): void {
    this.measure(row);
    row.settled = true;
    row.bytes = null; // it holds the request and the response
    if (row.id === 0) return;
    const last = this.open.pop() as Row;
    if (last !== row) this.open[row.place] = last;
    last.place = row.place;
    add(this.all[row.technique], row);
    if (row.experiment === null) return;
    add(row.experiment.closed[row.technique], row);
    row.experiment.open -= 1;
    if (row.experiment.open === 0) this.forget(this.maxExperiments);
  }

  /** Brings the bytes of an open row up to date. */
  private measure(row: Row): void {
    const { bytes } = row;
    if (!bytes) return;
    bytes.measure();
    row.bytesIn = bytes.received;
    row.bytesOut = bytes.sent;
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
