import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AS_IT_IS, Problem, statusName } from '../../core/problem.js';
import type { Settings } from '../../settings.js';
import { closeSoon } from './closing.js';

/** What the client expects before it sends the body (RFC 9110, section 10.1.1): a `100 Continue`; something unknown; nothing. */
export type Expectation = 'continue' | 'unknown' | null;
/** Answers a request. */
export type Handle = (req: IncomingMessage, res: ServerResponse, expects?: Expectation) => void;

/** How long nothing may pass on a connection before it is closed, in milliseconds. */
export const KEEP_ALIVE_MS = 60_000;
/** The largest head of a request. */
export const MAX_HEAD_BYTES = 16 * 1024;

export const NO_PROXY = new Problem(405, 'This server is no proxy: it takes no CONNECT.', {
  Allow: 'GET, HEAD, POST, DELETE, OPTIONS',
});
export const LARGE_HEAD = new Problem(431, 'The head is larger than 16 KiB. Send fewer or shorter fields.');
export const TOO_SLOW = new Problem(408, 'The request did not arrive whole in time. Send it faster.');

/** RFC 9110, section 15.5.9: the client may repeat the request, whatever its method. */
export const STOPPING = new Problem(
  408,
  'The server stops, and the request had not arrived whole. Send it again soon.',
);

/**
 * HTTP/1.1, on whatever connections it is given.
 *
 * @param owes - whether an answer to an earlier request is still to be sent on a connection.
 */
export function http1Server(
  { headTimeoutMs, bodyTimeoutMs }: Pick<Settings, 'headTimeoutMs' | 'bodyTimeoutMs'>,
  handle: Handle,
  owes: (socket: Socket) => boolean,
): Server {
  const server = createServer({
    headersTimeout: headTimeoutMs,
    requestTimeout: Math.max(bodyTimeoutMs, headTimeoutMs),
    connectionsCheckingInterval: Math.min(1_000, headTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    requireHostHeader: false, // it is required, by the guard, whose answer says so
  });
  handOn(server, (req, res, expects) => {
    // RFC 9112, section 9.6: nothing is processed that comes behind the last answer.
    if (!req.socket.writableEnded) handle(req, res, expects);
  });
  // A client takes what comes next for the answer to its earlier request, or for more of it: it is told nothing then.
  const refuse = (socket: Socket, problem: Problem) =>
    closeSoon(socket, owes(socket) ? undefined : rawProblem(problem));
  // Node has let go of the connection.
  server.on('connect', (_, socket: Socket) => refuse(socket, NO_PROXY));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET') socket.destroy();
    else refuse(socket, faultOf(error));
  });
  return server;
}

/** Hands on the requests of a server. */
export function handOn(server: Server, handle: Handle): void {
  server.on('request', (req, res) => handle(req, res));
  server.on('checkContinue', (req, res) => handle(req, res, 'continue'));
  server.on('checkExpectation', (req, res) => handle(req, res, 'unknown'));
}

/** What the HTTP parser has refused. */
function faultOf({ code, message }: NodeJS.ErrnoException): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return LARGE_HEAD;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return TOO_SLOW;
  return new Problem(400, `Expected an HTTP/1.1 request, got what cannot be read as one (${message}).`);
}

/** A problem as the whole answer of a connection, where Node has parsed no request that could be answered. */
export function rawProblem(problem: Problem): string {
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${problem.status} ${statusName(problem.status)}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries({ ...AS_IT_IS, ...problem.headers }).map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
