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
    this.whole.latest?.passBy(req);
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
   * be of both. This one's own length follows from its head, and from the announced length of its body; or, if the body
   * is chunked, from where the next one begins.
   */
  passBy(next: IncomingMessage): void {
    if (this.receivedAll) return;
    const { req, whole } = this;
    this.received =
      'transfer-encoding' in req.headers
        ? startOf(next, whole.received) - whole.received
        : headLength(req) + Number(req.headers['content-length'] ?? 0);
    whole.received += this.received;
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

/** How long a request's head is, in bytes. */
function headLength({ method, url, rawHeaders }: IncomingMessage): number {
  let length = `${method} ${url} HTTP/1.1\r\n\r\n`.length;
  for (const part of rawHeaders) length += part.length + 2; // ": " after a name, CRLF after a value
  return length;
}

/**
 * Where a request begins whose head has just been read: how many bytes of its connection came before it.
 *
 * @param earlier - where the request before it begins, whose body is chunked.
 */
function startOf(next: IncomingMessage, earlier: number): number {
  const { socket } = next;
  // What the connection has read last, with the end of the head. Node parses it just now, and tells no positions.
  const { parser } = socket as unknown as { parser?: { getCurrentBuffer?(): Buffer | undefined } };
  const read = parser?.getCurrentBuffer?.();
  if (!read) return socket.bytesRead - headLength(next);
  const before = socket.bytesRead - read.length;
  if (earlier >= before) return before + endOfChunks(read, read.indexOf('\r\n\r\n', earlier - before) + 4);
  // A part of the body was read earlier, and nothing tells at which place of which chunk this read begins.
  const line = read.indexOf(`${next.method} ${next.url} HTTP/`, 0, 'latin1');
  if (line >= 0) return before + line;
  // The head began in an earlier read, too. It ends at the first blank line of this one, or with the rest of that line.
  const rest = /^(\n\r\n|\r\n|\n)/.exec(read.toString('latin1', 0, 3))?.[0].length;
  const end = rest ?? read.indexOf('\r\n\r\n') + 4;
  return before + end - headLength(next);
}

/** Where a chunked body ends (RFC 9112, section 7.1), which begins at a position of bytes and is there whole. */
function endOfChunks(bytes: Buffer, start: number): number {
  let at = start;
  const nextLine = () => {
    const line = bytes.toString('latin1', at, bytes.indexOf('\r\n', at));
    at += line.length + 2;
    return line;
  };
  for (let size = 1; size > 0; ) {
    size = Number.parseInt(nextLine(), 16);
    if (size > 0) at += size + 2;
  }
  while (nextLine() !== ''); // trailers
  return Math.min(at, bytes.length);
}
