import type { LedgerRow } from '../ledger.js';
import type { Technique } from '../technique.js';

/** The rows that a proxy keeps, at most; the oldest go first. */
const MAX_ROWS = 20_000;
/** The requests of one connection that may wait for an answer, at most. A client that sends more is counted no further. */
const MAX_WAITING = 1_000;

/** What a request is, as far as its first bytes tell. */
export interface Asked {
  /** HTTP's method; of another protocol, what it calls the request: `Fetch`, `BLPOP`. */
  method: string;
  /** HTTP's path, without the query; of another protocol, the method again. */
  route: string;
  technique: Technique;
  experiment?: string | null;
}

/** A request that is counted, from its first byte to the last byte of its answer. */
export class Exchange {
  readonly row: LedgerRow;

  constructor(asked: Asked, connection: number, protocol: string) {
    this.row = {
      ...{ method: asked.method, route: asked.route, technique: asked.technique },
      ...{ experiment: asked.experiment ?? null, status: null },
      ...{ arrivedAt: timestamp(), answeredAt: null, endedAt: null },
      ...{ bytesIn: 0, bytesOut: 0, events: 0, connection, protocol },
    };
  }

  /** The answer begins. */
  answer(status: number): void {
    this.row.status = status;
    this.row.answeredAt ??= timestamp();
  }

  /** The answer is complete, or will never be. */
  end(): void {
    this.row.endedAt ??= timestamp();
  }
}

/** What a proxy has counted, and the requests that wait on one connection. Framings write here. */
export class Connection {
  private readonly waiting: Exchange[] = [];

  constructor(
    readonly number: number,
    private readonly protocol: string,
    private readonly rows: LedgerRow[],
  ) {}

  /** Begins a row. Error: {@link Unframed} if 1,000 requests of this connection wait for an answer. */
  ask(asked: Asked): Exchange {
    if (this.waiting.length >= MAX_WAITING) throw new Unframed(`more than ${MAX_WAITING} requests wait for an answer`);
    const exchange = new Exchange(asked, this.number, this.protocol);
    this.rows.push(exchange.row);
    if (this.rows.length > MAX_ROWS) this.rows.shift();
    this.waiting.push(exchange);
    return exchange;
  }

  /** The request that has waited longest; undefined if none waits. */
  oldest(): Exchange | undefined {
    return this.waiting[0];
  }

  /** The answer is complete: the request waits no longer. */
  done(exchange: Exchange): void {
    exchange.end();
    const at = this.waiting.indexOf(exchange);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  /** The connection is over: what still waited has no answer, and keeps the status that it had. */
  close(): void {
    for (const exchange of this.waiting.splice(0)) exchange.end();
  }
}

/** How a protocol divides the two byte streams of a connection into requests and answers. It reads, and changes nothing. */
export interface Framing {
  /** As it stands in the rows: `HTTP/1.1`. */
  readonly protocol: string;
  /** Begins with a new connection. */
  open(connection: Connection): Conversation;
}

/**
 * Reads one connection. Pieces may end anywhere: in the middle of a length, too. Each method throws {@link Unframed} at bytes
 * that are not of the protocol; the proxy passes them on, and counts that connection no further.
 */
export interface Conversation {
  /** The client has sent these bytes. */
  request(bytes: Buffer): void;
  /** These bytes are sent to the client. */
  response(bytes: Buffer): void;
  /** The server has closed its side: an answer that has no other end is complete. */
  responseEnd?(): void;
}

/** Bytes that a framing cannot read. */
export class Unframed extends Error {}

const timestamp = () => new Date().toISOString();
