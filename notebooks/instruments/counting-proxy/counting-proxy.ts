import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { LedgerRow } from '../ledger.js';
import { Connection, type Conversation, type Framing, Unframed } from './record.js';

/** How many bytes may wait in one direction of a connection, for a delay or a slow reader; then the sender has to. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** How many connections may be open at a time. A further one is closed at once. */
const MAX_CONNECTIONS = 2_000;

/**
 * Stands between clients and a server of any kind, on TCP, and counts: a row for each request, of the same shape as the rows of the course's
 * ledger, so that every plot draws them. Bytes are passed on as they come. It can also do what networks do: cut, freeze, delay.
 *
 * @example
 * const proxy = await openProxy({ to: broker, framing: kafka });
 * // … a client talks to proxy.host and proxy.port …
 * await draw(waterfall(proxy.rows, { title: 'What the consumer sent' }));
 * await proxy.close();
 */
export interface CountingProxy {
  /** Where clients connect to: a free port of 127.0.0.1. */
  readonly host: string;
  readonly port: number;
  /** One row per request, in the order in which they came; the last 20,000. */
  readonly rows: LedgerRow[];
  /** How many connections clients have opened so far, and how many of them are open. */
  readonly connections: { opened: number; open: number };
  /** Why connections could not be counted to their end: what came was not of the protocol. Their bytes were passed on. */
  readonly unframed: string[];
  /** Breaks every open connection, as a reset does. New ones may come. Returns how many there were. */
  cut(): number;
  /** Passes on no bytes, in either direction: connections stay open, as when a network fails. New connections are accepted, and wait. */
  freeze(): void;
  /** Lets the bytes through again. */
  thaw(): void;
  /** Holds every piece back for that long, in each direction, from now on. In milliseconds; 0 ends it. Error: a `RangeError`. */
  delay(ms: number): void;
  /** Breaks every connection and frees the port. */
  close(): Promise<void>;
}

export interface ProxyOptions {
  /** The server. */
  to: { host: string; port: number };
  framing: Framing;
}

/** Opens a {@link CountingProxy}. */
export async function openProxy({ to, framing }: ProxyOptions): Promise<CountingProxy> {
  const rows: LedgerRow[] = [];
  const unframed: string[] = [];
  const links = new Set<Link>();
  const how = { isFrozen: false, delayMs: 0 };
  let opened = 0;
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (links.size >= MAX_CONNECTIONS) return void client.destroy();
    opened += 1;
    const counted = new Counted(new Connection(opened, framing.protocol, rows), framing, unframed);
    // Without `noDelay` a small piece would wait for the other side's acknowledgement: up to 40 ms (Nagle's algorithm).
    const link = new Link(client, connect({ ...to, noDelay: true, allowHalfOpen: true }), counted, how);
    links.add(link);
    void link.over.then(() => links.delete(link));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ host: '127.0.0.1', port, rows, unframed },
    get connections() {
      return { opened, open: links.size };
    },
    cut() {
      const { size } = links;
      for (const link of links) link.break();
      return size;
    },
    freeze() {
      how.isFrozen = true;
      for (const link of links) link.changed();
    },
    thaw() {
      how.isFrozen = false;
      for (const link of links) link.changed();
    },
    delay(ms) {
      if (!(ms >= 0 && ms <= 60_000)) throw new RangeError(`Expected a delay of 0 to 60000 ms, got ${ms}.`);
      how.delayMs = ms;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      const over = [...links].map((link) => link.over);
      for (const link of links) link.break();
      await Promise.all([closed, ...over]);
    },
  };
}

/** Counts one connection, until bytes come that its framing cannot read. */
class Counted {
  private conversation: Conversation | undefined;

  constructor(
    private readonly connection: Connection,
    framing: Framing,
    private readonly unframed: string[],
  ) {
    this.conversation = framing.open(connection);
  }

  request(bytes: Buffer): void {
    this.try((conversation) => conversation.request(bytes));
  }

  response(bytes: Buffer): void {
    this.try((conversation) => conversation.response(bytes));
  }

  responseEnd(): void {
    this.try((conversation) => conversation.responseEnd?.());
  }

  close(): void {
    this.conversation = undefined;
    this.connection.close();
  }

  private try(read: (conversation: Conversation) => void): void {
    if (!this.conversation) return;
    try {
      read(this.conversation);
    } catch (error) {
      if (!(error instanceof Unframed)) throw error;
      if (this.unframed.length < 100) this.unframed.push(`connection ${this.connection.number}: ${error.message}`);
      this.close();
    }
  }
}

interface How {
  isFrozen: boolean;
  delayMs: number;
}

/** A client's connection and the one to the server. */
class Link {
  /** Resolves when both sockets are closed. */
  readonly over: Promise<void>;
  private readonly ways: [Way, Way];

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    counted: Counted,
    how: How,
  ) {
    // A request is counted when it comes, and an answer when it goes out: as a server would that stands here.
    const back = { passed: (bytes: Buffer) => counted.response(bytes), ended: () => counted.responseEnd() };
    this.ways = [
      new Way(client, server, how, { came: (bytes) => counted.request(bytes) }),
      new Way(server, client, how, back),
    ];
    const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));
    this.over = Promise.all([closed(client), closed(server)]).then(() => counted.close());
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => {}); // 'close' follows
      // A connection that broke is broken on the other side, too. One that ended in order has been ended there already.
      one.once('close', (broke) => {
        if (broke || !one.readableEnded) other.resetAndDestroy();
      });
    }
  }

  break(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  changed(): void {
    for (const way of this.ways) way.move();
  }
}

interface Witness {
  /** Bytes have come in. */
  came?(bytes: Buffer): void;
  /** Bytes are passed on. */
  passed?(bytes: Buffer): void;
  /** The sender has closed its side, and all of its bytes are passed on. */
  ended?(): void;
}

/** One direction of a connection: passes on what comes, in its order, and slows the sender down where the reader is slow. */
class Way {
  private readonly queue: { bytes: Buffer; dueAt: number }[] = [];
  private waiting = 0;
  private isEnded = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly how: How,
    private readonly witness: Witness,
  ) {
    from.on('data', (bytes: Buffer) => {
      witness.came?.(bytes);
      this.queue.push({ bytes, dueAt: performance.now() + how.delayMs });
      this.waiting += bytes.length;
      this.move();
    });
    from.once('end', () => {
      this.isEnded = true;
      this.move();
    });
    to.once('close', () => clearTimeout(this.timer));
    to.on('drain', () => this.move());
    if (how.isFrozen) from.pause();
  }

  /** Passes on what is due. */
  move(): void {
    clearTimeout(this.timer);
    if (!this.how.isFrozen) this.pass();
    const isFull = this.how.isFrozen || this.waiting > MAX_WAITING_BYTES || this.to.writableNeedDrain;
    if (isFull) this.from.pause();
    else this.from.resume();
  }

  private pass(): void {
    for (;;) {
      const [next] = this.queue;
      if (!next || this.to.writableNeedDrain) break;
      const earlyMs = next.dueAt - performance.now();
      if (earlyMs > 0) {
        this.timer = setTimeout(() => this.move(), Math.ceil(earlyMs));
        return;
      }
      this.queue.shift();
      this.waiting -= next.bytes.length;
      this.witness.passed?.(next.bytes);
      this.to.write(next.bytes);
    }
    if (this.isEnded && this.queue.length === 0 && !this.to.writableEnded) {
      this.witness.ended?.();
      this.to.end();
    }
  }
}
