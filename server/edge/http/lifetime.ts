import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { closeSoon } from './closing.js';
import { KEEP_ALIVE_MS } from './http1.js';
import { streamOf } from './http2.js';
import { SmallSet } from './small-set.js';

/** Unsent bytes of one connection past which its further requests wait: a client that reads nothing gets no more made. */
export const MAX_UNSENT_BYTES = 64 * 1024;
/** Unsent bytes of all connections past which the connections whose clients take nothing are closed. */
const MAX_ALL_UNSENT_BYTES = 64 * 1024 * 1024;
/** Requests pipelined behind others, on all connections: past it, the connection with most of them is closed. */
const MAX_PIPELINED = 10_000;
/** How long, in one turn of the event loop, requests are started that came behind others on their connections. */
const TURN_MS = 10;
/** Requests of one connection that are put off to other turns; past it they are started at once, or more would pile up. */
const MAX_PUT_OFF = 1_000;
/** Under the pressure of too many unsent bytes, a client that has taken nothing for this long is dropped. */
const PRESSED_STALL_MS = 1_000;

/**
 * One exchange, from the request's head to its end, whichever way it ends. Whatever is held for an exchange (a waiter,
 * timers, its row in the ledger, its body) subscribes here, and is told exactly once, in HTTP/1.1 and HTTP/2 alike.
 */
export class Lifetime {
  /** The response is over, or can no longer be sent. */
  ended = false;
  /** The request is over, too: nothing more will be read or written for this exchange. */
  settled = false;
  /** Bytes of the answer that were handed to Node, and that the client has yet to take. */
  unsent = 0;
  /** When the client last took something of them. A monotonic clock, in milliseconds. */
  progressAt = 0;
  /** Whether it is being processed: neither answered nor held yet. Told for what HTTP/1.1 has to process in order. */
  acting = false;
  /** When the answer was last seen queued behind another one: before its turn, its client cannot take it. */
  queuedAt = 0;
  /** What counts the exchange: it is told first. An object and no callbacks, since every request has one. */
  count: { finish(): void; end(): void; settle(): void } | null = null;
  private endings: (() => void)[] | null = null;

  constructor(
    readonly connection: Connection,
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
  ) {
    (res as Carrier)[LIFETIME] = this;
    // Told when the answer is out, when the stream of HTTP/2 is closed, and when the socket closes under an answer whose
    // turn it is. Node never tells it of an answer that is queued behind another one: the connection does.
    res.on('close', endResponse);
    // Before Node's own listener, which hands the connection to the next pipelined response.
    res.prependListener('finish', finishResponse);
  }

  /** Calls back when the response is over; at once if it is. */
  onEnd(callback: () => void): void {
    if (this.ended) callback();
    else if (this.endings) this.endings.push(callback);
    else this.endings = [callback]; // an empty list would take room for 17 at the first push
  }

  /** What it may be processed beside, in HTTP/1.1. */
  get kind(): Kind {
    const { method = '', headers } = this.req;
    if (SAFE.has(method)) return 'safe';
    return /^application\/json\b/i.test(headers['content-type'] ?? '') ? 'report' : 'alone';
  }

  /** The request is answered, or its answer is held: what it does is done. */
  acted(): void {
    if (!this.acting) return;
    this.acting = false;
    this.connection.acted(this);
  }

  /** Whether the client has left: no answer reaches it. */
  get left(): boolean {
    return this.ended || this.res.destroyed || this.req.socket.destroyed || streamOf(this.req)?.closed === true;
  }

  /** An HTTP/1.1 response that waits for those of earlier requests on its connection (pipelining). */
  get queued(): boolean {
    return !this.connection.session && !this.res.socket && !this.ended;
  }

  /** Whether its answer has begun. */
  get answered(): boolean {
    return this.res.headersSent;
  }

  /** Whether the client takes what comes next for its answer, or for more of it. A request that is arriving may be refused once. */
  get owed(): boolean {
    const { req, res } = this;
    return res.writableEnded ? !req.complete : req.complete || res.headersSent;
  }

  /** Resolves when a large answer may be made. A client that leaves is forgotten: the promise is never kept. */
  turn(): Promise<void> {
    return this.connection.all.turn(this);
  }

  /** Bytes of the answer are handed to Node. */
  addUnsent(bytes: number): void {
    this.progressAt = performance.now();
    this.account(bytes);
  }

  /** The client has taken bytes. */
  took(bytes: number): void {
    this.progressAt = performance.now();
    this.account(-bytes);
  }

  /** Closes what carries the exchange: the client sees that its answer is not whole. */
  cut(): void {
    if (this.queued) this.connection.destroy();
    else this.res.destroy();
  }

  end(): void {
    if (this.ended) return;
    this.account(-this.unsent);
    this.acted();
    this.ended = true;
    this.count?.end();
    if (this.endings) for (const callback of this.endings) callback();
    this.endings = null;
    const { req } = this;
    if (req.complete || req.destroyed || this.connection.closed) this.settle();
    else req.once('close', () => this.settle());
    this.connection.startDeferred(); // it may have waited for the client to take this answer
    this.connection.all.leaveTurn(this); // and the next one's turn on this connection may have come
  }

  /** Ends what is not over yet. The request may be over later than its answer: a refused body is read on. */
  settle(): void {
    this.end();
    if (this.settled) return;
    this.settled = true;
    this.connection.remove(this);
    this.count?.settle();
  }

  private account(bytes: number): void {
    if (this.ended) return; // What was unsent is given back, and nothing more is held.
    this.unsent += bytes;
    this.connection.unsent += bytes;
    this.connection.all.account(bytes);
  }
}

/**
 * A property of each response, and a property of each connection: what belongs to it. All responses share their listeners,
 * which find it there. With closures of its own, and sets and weak maps, a client that waits held twelve objects more, and to
 * open a long poll took a fifth more time.
 */
const LIFETIME = Symbol('lifetime');
const CONNECTION = Symbol('connection');
type Carrier = { [LIFETIME]?: Lifetime; [CONNECTION]?: Connection };

function endResponse(this: Carrier): void {
  this[LIFETIME]?.end();
}
function finishResponse(this: Carrier): void {
  this[LIFETIME]?.count?.finish();
}
function closeConnection(this: Carrier): void {
  this[CONNECTION]?.close();
}

/**
 * How far the bytes of one HTTP/1.1 connection have been shared out among its requests. Responses leave in the
 * order of the requests (RFC 9112, section 9.3.2), so each request owns what passed since the one before it.
 */
export interface ConnectionBytes {
  received: number;
  sent: number;
  /** The newest request, until it is over; with pipelining, others are still being answered. */
  latest: { passBy(next: IncomingMessage): void } | null;
}

/** The methods that change nothing (RFC 9110, section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
/** A request that changes nothing; one whose body is handed on in the order of the requests, so that it overtakes no other one; any other. */
type Kind = 'safe' | 'report' | 'alone';

/** What carries exchanges: the socket of HTTP/1.1, or the session of HTTP/2. When it closes, all of them are over. */
export class Connection {
  closed = false;
  /** Bytes of its answers that its client has yet to take. */
  unsent = 0;
  /** Whether a request has come on it. */
  used = false;
  /** What is known of a session's silence; null in HTTP/1.1, whose time-outs are Node's own. */
  readonly silence: Silence | null;
  readonly exchanges = new SmallSet<Lifetime>();
  /** Its bytes in HTTP/1.1, as they are shared out among its requests. */
  bytes: ConnectionBytes | null = null;
  /** Requests that change something and are being processed: how many, and how many of them are no reports. */
  private changing = 0;
  private alone = 0;
  /** Requests that are not started yet, in their order. Made when it is needed, which is seldom. */
  private deferred = NONE;

  constructor(
    readonly id: number,
    readonly all: Connections,
    readonly socket: Socket,
    /** Null in HTTP/1.1. */
    readonly session: ServerHttp2Session | null,
  ) {
    this.silence = session && { idleSince: performance.now(), heardAt: performance.now(), heardBytes: 0 };
    const carrier = session ?? socket;
    (carrier as Carrier)[CONNECTION] = this;
    // A session that ends without its streams having been told (GOAWAY, an error of the protocol) is closed here, too.
    // `on`, for what happens once: `once` would keep 200 bytes for each listener of each connection.
    carrier.on('close', closeConnection);
    socket.on('finish', closeEnded);
  }

  /**
   * Starts a request. One that came behind others waits while its client has yet to take more than a little of what it
   * asked for before (HTTP/2 has windows for that); while it could overtake an earlier one; and until another turn of the
   * event loop when many came at once.
   */
  admit(lifetime: Lifetime, begin: () => void): void {
    const inTime = this.exchanges.size === 1 || !this.all.turnIsOver;
    if (this.deferred.size === 0 && inTime && !this.blocks(lifetime)) this.start(lifetime, begin);
    else {
      if (this.deferred === NONE) this.deferred = new Map();
      this.deferred.set(lifetime, begin);
      this.startDeferred();
    }
  }

  /** Starts what was deferred: in its turn, or what is too much at once. */
  startDeferred(): void {
    while (this.deferred.size > MAX_PUT_OFF && this.startNext());
    this.startLater();
  }

  private startLater(): void {
    if (this.deferred.size === 0) return;
    const [next] = this.deferred.keys();
    if (!this.blocks(next as Lifetime)) this.all.startLater(this);
  }

  /** Starts the request that was deferred first, if there is one and it may be started. */
  startNext(): boolean {
    const [next] = this.deferred;
    if (!next || this.closed || this.blocks(next[0])) return false;
    const [lifetime, begin] = next;
    this.deferred.delete(lifetime);
    if (!lifetime.left) this.start(lifetime, begin);
    return true;
  }

  private start(lifetime: Lifetime, begin: () => void): void {
    if (!this.session && lifetime.kind !== 'safe') {
      lifetime.acting = true;
      this.changing += 1;
      if (lifetime.kind === 'alone') this.alone += 1;
    }
    begin();
  }

  /** A request has done what it does. Those that came behind it are started in another turn of the event loop. */
  acted({ kind }: Lifetime): void {
    this.changing -= 1;
    if (kind === 'alone') this.alone -= 1;
    this.startLater();
  }

  private blocks(next: Lifetime): boolean {
    if (this.session) return false;
    // RFC 9112, section 9.3.2: only requests with safe methods may be processed in parallel. So do reports in JSON, which
    // are handed on in their order, so that many are committed together.
    const overtakes = this.changing > 0 && (this.alone > 0 || next.kind !== 'report');
    return overtakes || this.unsent > MAX_UNSENT_BYTES;
  }

  /** Whether answers are queued behind one that has not begun. */
  get holdsOthersUp(): boolean {
    if (this.exchanges.size < 2) return false;
    const [front] = this.exchanges;
    return front?.answered === false;
  }

  add(lifetime: Lifetime): void {
    this.used = true;
    this.exchanges.add(lifetime);
    if (this.session || this.exchanges.size === 1) return;
    this.all.pipelined += 1;
    if (this.all.pipelined > MAX_PIPELINED) this.all.closeBusiest();
  }

  remove(lifetime: Lifetime): void {
    if (!this.session && this.exchanges.size > 1) this.all.pipelined -= 1;
    this.exchanges.delete(lifetime);
    this.deferred.delete(lifetime);
    if (this.silence && this.exchanges.size === 0) this.silence.idleSince = performance.now();
  }

  destroy(): void {
    if (this.session) this.session.destroy();
    this.socket.destroy();
  }

  close(): void {
    this.closed = true;
    this.all.forget(this);
    for (const lifetime of this.exchanges) lifetime.settle();
  }
}

/** When a session last had an exchange and when something was last received (by the monotonic clock); bytes received by then. */
interface Silence {
  idleSince: number;
  heardAt: number;
  heardBytes: number;
}

/**
 * Node stops to read a connection of HTTP/1.1 when 16 KiB of answers are queued behind one that is held (pipelining), and then
 * does not see that the client has left. This has it read once more: requests that have come, after which it stops again; or
 * the end of the connection. Node has no public way to do so. These three steps are its own, when the queue is empty.
 */
function readOn(socket: Socket): void {
  const paused = socket as Socket & { _paused?: boolean; parser?: { resume?(): void } };
  if (!paused._paused) return;
  paused._paused = false;
  paused.parser?.resume?.();
  socket.resume();
}

/** Stands for no deferred requests: a map of its own would take 200 bytes of every connection. */
const NONE = new Map<Lifetime, () => void>();

/** What the server has ended, the client may leave half open; most clients have closed their half first. */
function closeEnded(this: Socket): void {
  if (!this.readableEnded) closeSoon(this);
}

/** The connections that are open, and what their clients have yet to take. */
export class Connections {
  /** Bytes of answers that clients have yet to take. */
  unsent = 0;
  /** Requests of HTTP/1.1 that wait behind another one on their connection. */
  pipelined = 0;
  readonly open = new Set<Connection>();
  private next = 1;
  private readonly sweeping: NodeJS.Timeout;
  /** Answers that take long to make, and the connections that they are for, in the order in which they were asked for. */
  private readonly turns = new Map<Lifetime, () => void>();
  private scheduled = false;
  /** Connections that have a deferred request which may be started, in the order of their turns. */
  private readonly startable = new Set<Connection>();
  /** Until when requests behind others are started in this turn of the event loop; null before the first of them. */
  private turnEndsAt: number | null = null;

  constructor(private readonly limits: { stallMs: number; headTimeoutMs: number }) {
    const { stallMs, headTimeoutMs } = limits;
    this.sweeping = setInterval(() => this.sweep(), Math.min(1_000, stallMs / 4, headTimeoutMs / 4)).unref();
  }

  /** The connection that a socket or a session is. */
  connectionOf(socket: Socket, session: ServerHttp2Session | null): Connection {
    const known = ((session ?? socket) as Carrier)[CONNECTION];
    if (known) return known;
    const connection = new Connection(this.next++, this, socket, session);
    this.open.add(connection);
    return connection;
  }

  /** Whether an answer is still to be sent on a connection of HTTP/1.1. */
  readonly owes = (socket: Socket): boolean =>
    [...((socket as Carrier)[CONNECTION]?.exchanges ?? [])].some((lifetime) => lifetime.owed);

  /** A request has come. */
  begin(req: IncomingMessage, res: ServerResponse): Lifetime {
    const session = (streamOf(req)?.session as ServerHttp2Session | undefined) ?? null;
    const connection = this.connectionOf(req.socket, session);
    const lifetime = new Lifetime(connection, req, res);
    connection.add(lifetime);
    return lifetime;
  }

  /**
   * Resolves when a large answer may be made: one a turn of the event loop, so that others are served in between, and
   * only for a client whose turn it is and who has taken what it asked for before.
   */
  turn(lifetime: Lifetime): Promise<void> {
    return new Promise((resolve) => {
      this.turns.set(lifetime, resolve);
      this.schedule();
    });
  }

  /** How many large answers wait for their turn. */
  get waitingForTurns(): number {
    return this.turns.size;
  }

  /** Forgets a client that waits for its turn no longer. */
  leaveTurn(lifetime: Lifetime): void {
    this.turns.delete(lifetime);
    this.schedule();
  }

  /** Whether requests behind others have taken their share of this turn of the event loop. */
  get turnIsOver(): boolean {
    return performance.now() >= this.beginTurn();
  }

  /** Has a connection start a request in its turn. */
  startLater(connection: Connection): void {
    this.startable.add(connection);
    this.beginTurn();
  }

  /** Until when requests behind others are started in this turn. What is deferred is started once it has ended. */
  private beginTurn(): number {
    if (this.turnEndsAt === null) {
      this.turnEndsAt = performance.now() + TURN_MS;
      setImmediate(() => this.startSome());
    }
    return this.turnEndsAt;
  }

  /** Starts what was deferred: a request of each connection, and again, until the turn is over. */
  private startSome(): void {
    this.turnEndsAt = null;
    for (const connection of this.startable) {
      if (this.turnIsOver) return;
      this.startable.delete(connection);
      if (connection.startNext()) connection.startDeferred();
    }
  }

  account(bytes: number): void {
    this.unsent += bytes;
    if (bytes < 0) this.schedule();
    else if (this.unsent > 2 * MAX_ALL_UNSENT_BYTES) this.relieve(0);
  }

  /** Closes the connection of HTTP/1.1 on which most requests are pipelined: nobody else pays for it. */
  closeBusiest(): void {
    let busiest: Connection | undefined;
    for (const connection of this.open)
      if (!connection.session && connection.exchanges.size > (busiest?.exchanges.size ?? 0)) busiest = connection;
    busiest?.destroy();
  }

  forget(connection: Connection): void {
    this.open.delete(connection);
    this.startable.delete(connection);
  }

  /** Ends the sweeps. */
  stop(): void {
    clearInterval(this.sweeping);
  }

  /** Makes the next large answer, if one may be made. */
  schedule(): void {
    if (this.scheduled || this.turns.size === 0) return;
    this.scheduled = true;
    setImmediate(() => this.takeTurn());
  }

  private takeTurn(): void {
    this.scheduled = false;
    if (this.unsent > MAX_ALL_UNSENT_BYTES) return; // somebody takes something, or is dropped, and it goes on
    for (const [lifetime, resolve] of this.turns) {
      // In HTTP/1.1, what is unsent on the connection is queued behind this answer: it would wait for it for ever.
      if (lifetime.queued || (lifetime.connection.session && lifetime.connection.unsent > MAX_UNSENT_BYTES)) continue;
      this.turns.delete(lifetime);
      resolve();
      return void this.schedule();
    }
  }

  /** Closes what is stalled, idle or no longer answers. */
  private sweep(): void {
    const now = performance.now();
    for (const connection of this.open) {
      if (connection.unsent > 0) this.dropStalled(connection, now);
      if (connection.session) this.look(connection, connection.session, connection.silence!, now);
      else if (connection.holdsOthersUp) readOn(connection.socket);
    }
    if (this.unsent > MAX_ALL_UNSENT_BYTES) this.relieve(PRESSED_STALL_MS);
    this.schedule();
  }

  private dropStalled(connection: Connection, now: number): void {
    for (const lifetime of connection.exchanges) {
      if (lifetime.unsent === 0) continue;
      if (lifetime.queued) lifetime.queuedAt = now;
      else if (now - Math.max(lifetime.progressAt, lifetime.queuedAt) > this.limits.stallMs) lifetime.cut();
    }
  }

  /**
   * Drops the clients that have taken nothing for the longest time, until the others fit; those, too, whose answer is queued:
   * behind a stream it could stay queued forever, and hold up everybody's large answers.
   */
  private relieve(stalledMs: number): void {
    const before = performance.now() - stalledMs;
    const waiting = [...this.open].flatMap(({ exchanges }) => [...exchanges].filter(({ unsent }) => unsent > 0));
    for (const lifetime of waiting.sort((a, b) => a.progressAt - b.progressAt)) {
      if (this.unsent <= MAX_ALL_UNSENT_BYTES || lifetime.progressAt > before) return;
      lifetime.cut();
      lifetime.end();
    }
  }

  /**
   * HTTP/2 has no time-outs of Node's own. After some errors of the protocol, nghttp2 sends GOAWAY and then neither
   * reads nor writes, and Node tells nobody, not even that the client has closed: such a session answers no PING.
   */
  private look(connection: Connection, session: ServerHttp2Session, silence: Silence, now: number): void {
    const { stallMs, headTimeoutMs } = this.limits;
    const { bytesRead } = connection.socket;
    if (bytesRead !== silence.heardBytes) {
      silence.heardBytes = bytesRead;
      silence.heardAt = now;
    }
    const silentMs = now - silence.heardAt;
    const idleMs = connection.exchanges.size > 0 ? 0 : now - silence.idleSince;
    const limitMs = connection.used ? KEEP_ALIVE_MS : headTimeoutMs;
    if (silentMs > stallMs || idleMs > limitMs + stallMs) connection.destroy();
    // No new streams after that; those that are open go on to their end (RFC 9113, section 6.8).
    else if (idleMs > limitMs) session.close();
    // RFC 9113, section 6.7: a peer must answer a PING.
    else if (silentMs > stallMs / 2 && !session.destroyed) session.ping(() => {});
  }
}
