import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ByteCount } from '../ledger.js';
import { payloadOf } from './http2.js';
import type { ConnectionBytes, Lifetime } from './lifetime.js';

/**
 * Counts the bytes of an exchange. HTTP/2: the payload of its DATA frames. HTTP/1.1: as on the connection, head and framing
 * included, before encryption.
 */
export function countBytes(req: IncomingMessage, res: ServerResponse, lifetime: Lifetime): ByteCount {
  return lifetime.connection.session ? new Payload(req, res) : new Share(req, res, lifetime);
}

class Payload implements ByteCount {
  received = 0;
  sent = 0;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
  ) {}

  finish(): void {}

  measure(): void {
    [this.received, this.sent] = payloadOf(this.req, this.res) ?? [0, 0];
  }

  end(): void {}
  settle(): void {}
}

class Share implements ByteCount {
  received = 0;
  sent = 0;
  /** Whether the counts are known for good, and belong to no other request. */
  private receivedAll = false;
  private sentAll = false;
  private readonly whole: ConnectionBytes;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
    private readonly lifetime: Lifetime,
  ) {
    lifetime.connection.bytes ??= { received: 0, sent: 0, latest: null };
    this.whole = lifetime.connection.bytes;
    this.whole.latest?.passBy();
    this.whole.latest = this;
  }

  measure(): void {
    const { socket } = this.lifetime.connection;
    if (!this.receivedAll && this.whole.latest === this) this.received = socket.bytesRead - this.whole.received;
    // Without a socket the response is queued behind another one: nothing of it was written yet.
    if (!this.sentAll && this.res.socket) this.sent = socket.bytesWritten - this.whole.sent;
  }

  /**
   * Another request has come on the connection before this one was done with (pipelining): the bytes read so far may
   * be of both. This one's own length follows from its head, and from the announced length of its body.
   */
  passBy(): void {
    if (this.receivedAll) return;
    const { req } = this;
    let head = `${req.method} ${req.url} HTTP/1.1\r\n\r\n`.length;
    for (const part of req.rawHeaders) head += part.length + 2; // ": " after a name, CRLF after a value
    this.received = head + Number(req.headers['content-length'] ?? 0);
    this.whole.received += this.received;
    this.receivedAll = true;
  }

  /** `socket.bytesWritten` counts what waits in Node's buffer too: it covers this response whole, and nothing after it. */
  finish(): void {
    this.measure();
    this.sentAll = true;
    this.whole.sent += this.sent;
  }

  end(): void {
    if (this.sentAll) return;
    // It was cut off.
    this.sent = Math.max(this.sent, this.lifetime.connection.socket.bytesWritten - this.whole.sent);
    this.finish();
  }

  settle(): void {
    this.measure();
    if (!this.receivedAll) this.whole.received = this.lifetime.connection.socket.bytesRead;
    this.receivedAll = true;
    // A connection that is idle would keep its last request, and all that hangs on it.
    if (this.whole.latest === this) this.whole.latest = null;
  }
}
