import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { App } from './app.js';
import { Problem, rawProblem } from './http/problem.js';
import { SettingError, type Settings } from './settings.js';

/** Loopback only: the course's server is nobody else's business. */
const ADDRESS = '127.0.0.1';

/** Opens the server's port. A default port that is taken gives way to the next free one; one that was asked for is an error. */
export async function listen(app: App, settings: Settings, say: (line: string) => void) {
  const server = createServer({
    headersTimeout: settings.headTimeoutMs,
    requestTimeout: Math.max(settings.bodyTimeoutMs, settings.headTimeoutMs),
    connectionsCheckingInterval: Math.min(1_000, settings.headTimeoutMs),
    keepAliveTimeout: 60_000,
    requireHostHeader: false, // it is required, by the guard, whose answer says so
  });
  server.on('request', (req, res) => app.handle(req, res));
  server.on('checkContinue', (req, res) => app.handle(req, res, true));
  server.on('checkExpectation', (req, res) => {
    const problem = new Problem(
      417,
      `Only Expect: 100-continue is understood, got "${req.headers.expect}". Leave it out.`,
    );
    res.writeHead(417, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify(problem));
  });
  const noProxy = new Problem(405, 'This server is no proxy: it takes no CONNECT.', {
    Allow: 'GET, HEAD, POST, DELETE, OPTIONS',
  });
  server.on('connect', (_, socket) => socket.end(rawProblem(noProxy)));
  server.on('clientError', refuse);

  const port = await bind(server, settings, say);
  return {
    url: `http://${ADDRESS}:${port}`,
    /** Takes no more connections, and closes those that are there when they are done, at the latest after `graceMs`. */
    close: (graceMs: number) =>
      new Promise<void>((resolve) => {
        const late = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

async function bind(server: Server, settings: Settings, say: (line: string) => void): Promise<number> {
  const { port } = settings;
  const last = settings.asked.has('port') ? port : port + 100;
  for (let candidate = port; candidate <= last; candidate++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen({ port: candidate, host: ADDRESS, backlog: 4096 }, () => {
          server.off('error', reject);
          resolve();
        });
      });
      if (candidate !== port) say(`Port ${port} is taken; this server is on port ${candidate}.`);
      return (server.address() as AddressInfo).port;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE')
        throw new SettingError(`Port ${candidate} cannot be used (${message}). Choose another with --port.`);
    }
  }
  throw new SettingError(
    `Port ${port} is taken. Stop what uses it, or choose another with --port (0 takes any free one).`,
  );
}

/** Answers what the HTTP parser refused. */
function refuse({ code, message }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  let problem = new Problem(400, `Expected an HTTP/1.1 request, got what cannot be read as one (${message}).`);
  if (code === 'HPE_HEADER_OVERFLOW')
    problem = new Problem(431, 'The head is larger than 16 KiB. Send fewer or shorter fields.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    problem = new Problem(408, 'The request did not arrive whole in time. Send it faster.');
  socket.end(rawProblem(problem));
}
