import type { IncomingMessage, Server } from 'node:http';
import {
  constants,
  createServer,
  Http2ServerRequest,
  Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { AS_IT_IS, type Problem } from '../../core/problem.js';
import type { Settings } from '../../settings.js';
import { type Handle, handOn, LARGE_HEAD, MAX_HEAD_BYTES, NO_PROXY, TOO_SLOW } from './http1.js';

/** HTTP/2 (RFC 9113). Returns a function that accepts a connection whose client has chosen it. Calls `opened` for each session. */
export function http2Server(
  { maxStreams }: Settings,
  handle: Handle,
  opened: (socket: Socket, session: ServerHttp2Session) => void,
): (socket: Socket) => void {
  const server = createServer({
    settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize: MAX_HEAD_BYTES },
    Http2ServerRequest: Request,
    Http2ServerResponse: Response,
  });
  // What it hands on has the shape of HTTP/1.1's requests and responses.
  handOn(server as unknown as Server, (req, res, expects) => {
    // To the client, the setting is advice (RFC 9113, section 6.5.2), and Node holds no client to it.
    if (headBytes(req) > MAX_HEAD_BYTES) refuse(res as unknown as Response, LARGE_HEAD);
    else handle(req, res, expects);
  });
  server.on('connect', (_: Request, res: Response) => refuse(res, NO_PROXY));
  return (socket) => {
    // session.socket is a proxy, and refuses to be asked once the session is over.
    server.once('session', (session: ServerHttp2Session) => opened(socket, session));
    server.emit('connection', socket);
  };
}

/** The size of a request's head, as HTTP/2 counts it: 32 bytes for each field, besides its name and value. */
export function headBytes({ rawHeaders }: IncomingMessage): number {
  let bytes = 16 * rawHeaders.length;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/** Answers what no route gets to see, and reads no more of it. */
function refuse(res: Response, problem: Problem): void {
  res.writeHead(problem.status, { 'Content-Type': 'application/problem+json', ...AS_IT_IS, ...problem.headers });
  res.end(JSON.stringify(problem));
  if (!res.stream.endAfterHeaders) res.once('finish', () => res.stream.close());
}

class Request extends Http2ServerRequest {
  /** Payload of the DATA frames received, in bytes. */
  payload = 0;

  constructor(...args: ConstructorParameters<typeof Http2ServerRequest>) {
    super(...args);
    this.on('error', () => {}); // a reader of the body gets the error from its iterator
  }

  /** Takes what has come; null at the end. */
  override push(chunk: Buffer | null): boolean {
    // Node ends the body of a stream that was reset as it ends a whole one. Half an upload is no upload.
    if (chunk === null && this.aborted) this.destroy(new Error('The client has reset the stream.'));
    this.payload += chunk?.length ?? 0;
    return super.push(chunk);
  }
}

class Response extends Http2ServerResponse<Request> {
  /** Payload of the DATA frames sent, in bytes; with what waits for the client to take it. */
  payload = 0;

  override write(chunk: string | Buffer): boolean {
    this.payload += Buffer.byteLength(chunk);
    return super.write(chunk);
  }

  /** Cuts the answer off, and has the client know that it is not whole. */
  override destroy(): this {
    this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return this;
  }
}

/** The stream of an HTTP/2 request; null in HTTP/1.1. */
export function streamOf(req: unknown): ServerHttp2Stream | null {
  return req instanceof Request ? req.stream : null;
}

/** The payload of an exchange's DATA frames so far, in bytes: received, sent. Null in HTTP/1.1. */
export function payloadOf(req: unknown, res: unknown): [received: number, sent: number] | null {
  return req instanceof Request && res instanceof Response ? [req.payload, res.payload] : null;
}

/** A limit on how long a body of HTTP/2 may take: Node has one for HTTP/1.1 only. */
export function limitBody(req: IncomingMessage, ms: number): void {
  if (!streamOf(req)) return;
  const late = setTimeout(() => req.destroy(TOO_SLOW), ms);
  const there = () => clearTimeout(late);
  req.once('end', there).once('close', there);
}
