import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { App } from '../../app.js';
import { closeSoon } from './closing.js';
import { Problem, rawProblem } from './problem.js';

/** A connection on which nothing passes for so long is closed, in milliseconds. */
export const KEEP_ALIVE_MS = 60_000;
/** The largest head of a request. */
export const MAX_HEAD_BYTES = 16 * 1024;

export const NO_PROXY = new Problem(405, 'This server is no proxy: it takes no CONNECT.', {
  Allow: 'GET, HEAD, POST, DELETE, OPTIONS',
});
export const TOO_SLOW = new Problem(408, 'The request did not arrive whole in time. Send it faster.');

/** HTTP/1.1, on whatever connections it is given. */
export function http1Server(app: App): Server {
  const { headTimeoutMs, bodyTimeoutMs } = app.settings;
  const server = createServer({
    headersTimeout: headTimeoutMs,
    requestTimeout: Math.max(bodyTimeoutMs, headTimeoutMs),
    connectionsCheckingInterval: Math.min(1_000, headTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    requireHostHeader: false, // it is required, by the guard, whose answer says so
  });
  handOn(server, app);
  // Node has let go of the connection.
  server.on('connect', (_, socket: Socket) => closeSoon(socket, rawProblem(NO_PROXY)));
  server.on('clientError', refuse);
  return server;
}

/** Hands the requests of a server to the app. */
export function handOn(server: Server, app: App): void {
  server.on('request', (req, res) => app.handle(req, res));
  server.on('checkContinue', (req, res) => app.handle(req, res, 'continue'));
  server.on('checkExpectation', (req, res) => app.handle(req, res, 'unknown'));
}

/** Answers what the HTTP parser refused. */
function refuse({ code, message }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === 'ECONNRESET') return void socket.destroy();
  let problem = new Problem(400, `Expected an HTTP/1.1 request, got what cannot be read as one (${message}).`);
  if (code === 'HPE_HEADER_OVERFLOW')
    problem = new Problem(431, 'The head is larger than 16 KiB. Send fewer or shorter fields.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') problem = TOO_SLOW;
  closeSoon(socket, rawProblem(problem));
}
