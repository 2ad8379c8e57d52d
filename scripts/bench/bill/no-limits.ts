import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { streamOf } from '../../../server/edge/http/http2.js';
import type { ConnectionBytes } from '../../../server/edge/http/lifetime.js';

export { MAX_UNSENT_BYTES } from '../../../server/edge/http/lifetime.js';

const CONNECTION = Symbol('connection');
const LIFETIME = Symbol('lifetime');

/** Starts each request as it comes, and knows of no others on the connection. */
class Connection {
  bytes: ConnectionBytes | null = null;

  constructor(
    readonly socket: Socket,
    readonly session: ServerHttp2Session | null,
  ) {}

  readonly id = 0;
  admit(_: unknown, begin: () => void): void {
    begin();
  }
}

/** Says when an exchange is over, and counts nothing that its client has yet to take. */
class Lifetime {
  ended = false;
  readonly unsent = 0;
  count: { finish(): void; end(): void; settle(): void } | null = null;
  private endings: (() => void)[] | null = null;

  constructor(
    readonly connection: Connection,
    res: ServerResponse,
  ) {
    (res as Carrier)[LIFETIME] = this;
    res.on('close', endResponse).prependListener('finish', finishResponse);
  }

  get left(): boolean {
    return this.ended;
  }

  onEnd(callback: () => void): void {
    if (this.endings) this.endings.push(callback);
    else this.endings = [callback];
  }

  turn(): Promise<void> {
    return Promise.resolve();
  }

  acted(): void {}
  addUnsent(): void {}
  took(): void {}

  end(): void {
    this.ended = true;
    this.count?.end();
    for (const callback of this.endings ?? []) callback();
    this.count?.settle();
  }
}

type Carrier = { [LIFETIME]?: Lifetime; [CONNECTION]?: Connection };

function endResponse(this: Carrier): void {
  this[LIFETIME]?.end();
}
function finishResponse(this: Carrier): void {
  this[LIFETIME]?.count?.finish();
}

/**
 * Stands in the place of what bounds the bytes that clients have yet to take, what is pipelined on a connection, and what may
 * overtake what: none of it is known.
 */
export class Connections {
  readonly open = [];

  connectionOf(socket: Socket, session: ServerHttp2Session | null): Connection {
    const carrier = (session ?? socket) as Carrier;
    carrier[CONNECTION] ??= new Connection(socket, session);
    return carrier[CONNECTION];
  }

  readonly owes = (): boolean => false;

  begin(req: IncomingMessage, res: ServerResponse): Lifetime {
    const session = (streamOf(req)?.session as ServerHttp2Session | undefined) ?? null;
    return new Lifetime(this.connectionOf(req.socket, session), res);
  }

  stop(): void {}
}
