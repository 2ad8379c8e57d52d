import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { SettingError, type Settings } from '../settings.js';
import { addressesOfThisMachine, isLoopback, isWildcard, urlHost, whereOthersReach } from './addresses.js';
import { certificate } from './certificate.js';
import { closeSoon } from './http/closing.js';
import { type Handle, http1Server, rawProblem, STOPPING } from './http/http1.js';
import { http2Server } from './http/http2.js';
import type { Connections } from './http/lifetime.js';

const ownFolder = new URL('../../.polling-lab/', import.meta.url);

/** Opens the server's two ports: one for HTTP, one for HTTPS. */
export async function listen(settings: Settings, handle: Handle, connections: Connections) {
  const { headTimeoutMs, maxConnections, maxSecureConnections } = settings;
  const http1 = http1Server(settings, handle, connections.owes);
  const acceptHttp2 = http2Server(settings, handle, (socket, session) => connections.connectionOf(socket, session));
  const secure = tls.createServer(
    { ALPNProtocols: ['h2', 'http/1.1'], handshakeTimeout: headTimeoutMs },
    // As the client has chosen (ALPN, RFC 7301). One that chooses nothing speaks HTTP/1.1.
    (socket) => {
      handshakes.delete(clientOf(socket));
      if (socket.alpnProtocol === 'h2') acceptHttp2(socket);
      else http1.emit('connection', socket);
    },
  );
  // A handshake that fails, or takes too long: Node tells of it, and leaves the connection open.
  secure.on('tlsClientError', (_, socket) => socket.destroy());
  /** Connections to the HTTPS port before and during their handshake, by their client. */
  const handshakes = new Map<string, Socket>();
  let trusted: Promise<void> | undefined;
  const door = net.createServer((socket) => {
    const client = clientOf(socket);
    handshakes.set(client, socket);
    socket.on('close', () => handshakes.delete(client)).on('error', () => {}); // it broke before TLS began
    trusted ??= certificateFor(settings).then((pem) => secure.setSecureContext({ key: pem, cert: pem }));
    trusted.then(
      () => socket.destroyed || secure.emit('connection', socket),
      (error: Error) => {
        trusted = undefined; // the next one tries again
        console.error(`HTTPS cannot be served, for want of a certificate: ${error.message}`);
        socket.destroy();
      },
    );
  });

  // Connections of HTTP/1.1, with TLS or without. One of HTTP/2 is known from its session on.
  http1.on('connection', (socket) => connections.connectionOf(socket, null));

  // Past these, Node closes a new connection at once: a client can come back, and those that are there are served.
  http1.maxConnections = maxConnections;
  door.maxConnections = maxSecureConnections;
  // HTTPS first, so that GET /healthz can tell of it from the start.
  const host = urlHost(ownAddress(settings.listen));
  const httpsUrl = `https://${host}:${await bind(door, 'httpsPort', settings)}`;
  const port = await bind(http1, 'port', settings);
  const url = `http://${host}:${port}`;
  if (!isLoopback(settings.listen)) console.error(whereOthersReach(settings.listen, port));
  /** Takes no more connections. Resolves when those that are there are done, at the latest after `graceMs`. */
  const close = async (graceMs: number) => {
    const closed = [http1, door].map((server) => once(server.close(), 'close'));
    http1.closeIdleConnections();
    for (const socket of handshakes.values()) socket.destroy();
    for (const { socket, session, exchanges } of connections.open) {
      if (exchanges.size > 0) session?.close();
      // Node would wait for the rest of a head (RFC 9113, section 4.3) for ever.
      else if (session) session.destroy();
      // Node takes a connection on which nothing has come yet for a busy one. Browsers open such ones in advance.
      else if (socket.bytesRead === 0) socket.destroy();
      // The head of a request is arriving: the client is told that nothing was done, so that it may repeat any request.
      else closeSoon(socket, rawProblem(STOPPING));
    }
    await Promise.race([Promise.all(closed), after(graceMs)]);
  };
  return { url, httpsUrl, close };
}

/** The address by which this machine itself reaches a server that listens on an address. */
const ownAddress = (listen: string) => ({ '0.0.0.0': '127.0.0.1', '::': '::1' })[listen] ?? listen;

/** The certificate of a server: one that other machines reach has one of its own, with its addresses and the names it answers for. */
function certificateFor({ listen, allowHost }: Settings): Promise<string> {
  if (isLoopback(listen)) return certificate(fileURLToPath(new URL('certificate.pem', ownFolder)));
  const addresses = isWildcard(listen) ? addressesOfThisMachine() : [listen];
  const hosts = allowHost.split(',').map((host) => host.replace(/^\[(.*)\]$/, '$1'));
  const names = [...addresses, ...hosts].filter((name) => name !== '');
  return certificate(fileURLToPath(new URL('certificate-of-addresses.pem', ownFolder)), names);
}

const clientOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/**
 * Where port 0 is looked for. Systems give outgoing connections ports from 32768 (Linux, ip(7)) or 49152 on (RFC 6335,
 * section 6). One of those may be taken when the server that was killed is started again on its port.
 */
const LASTING_PORTS = [20_000, 30_000] as const;

/** The ports to try, in this order. */
function candidates(port: number, asked: boolean): number[] {
  if (port === 0) return [...Array.from({ length: 100 }, () => randomInt(...LASTING_PORTS)), 0];
  // A default port that is taken gives way to the next free one; one that was asked for is an error.
  return Array.from({ length: asked ? 1 : 101 }, (_, n) => port + n);
}

async function bind(server: net.Server, name: 'port' | 'httpsPort', settings: Settings): Promise<number> {
  const [scheme, flag] = name === 'port' ? ['HTTP', '--port'] : ['HTTPS', '--https-port'];
  const port = settings[name];
  for (const candidate of candidates(port, settings.asked.has(name))) {
    try {
      await once(server.listen({ port: candidate, host: settings.listen, backlog: 4096 }), 'listening');
      if (port !== 0 && candidate !== port) console.error(`Port ${port} is taken; ${scheme} is on port ${candidate}.`);
      return (server.address() as AddressInfo).port;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EADDRNOTAVAIL') {
        const own = ['127.0.0.1', ...addressesOfThisMachine()].join(', ');
        throw new SettingError(
          `--listen (LISTEN) expects an address of this machine (${own}), got ${settings.listen}.`,
        );
      }
      if (code !== 'EADDRINUSE')
        throw new SettingError(`Port ${candidate} cannot be used (${message}). Choose another with ${flag}.`);
    }
  }
  throw new SettingError(
    `Port ${port} is taken. Stop what uses it, or choose another with ${flag} (0 takes any free one).`,
  );
}
