import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { Problem as HttpProblem } from '../../../server/core/problem.js';
import { isLoopback } from '../../../server/edge/addresses.js';
import { Problem } from '../../shared/problem.mjs';
import { shownUrl } from '../redact.js';

/** How long a connection to the service may take to open, in milliseconds. Includes the TLS handshake, if there is one. */
const CONNECT_MS = 10_000;

/** A request as it is sent to the service. */
export interface Sending {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn. */
  readonly fields: string[];
  /** On a connection of its own. */
  readonly isFresh: boolean;
}

/** The service that the proxy stands in front of. */
export class Upstream {
  readonly origin: string;
  /** The loopback name by which clients reach the proxy: the service's own, so that its cookies are sent. */
  readonly name: string;
  private readonly url: URL;
  /** Whether the service is on this machine. */
  private readonly isLocal: boolean;
  private readonly agent: http.Agent;
  private readonly names: http.RequestOptions;

  /** Error: a {@link Problem} if `given` is no URL of a server. `insecure` accepts any certificate. */
  constructor(given: string, insecure: boolean) {
    const url = URL.canParse(given) ? new URL(given) : undefined;
    if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.username) {
      throw new Problem(
        `--proxy expects the address of a service, such as http://localhost:3000, got "${shownUrl(given)}".`,
      );
    }
    this.url = url;
    this.origin = url.origin;
    const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
    this.isLocal =
      hostname === 'localhost' || hostname.endsWith('.localhost') || (isIP(hostname) !== 0 && isLoopback(hostname));
    this.name = this.isLocal && isIP(hostname) === 0 ? hostname : '127.0.0.1';
    const kind = url.protocol === 'https:' ? https : http;
    this.agent = new kind.Agent({ keepAlive: true, maxFreeSockets: 16, noDelay: true } as TcpNetConnectOpts &
      http.AgentOptions);
    this.names = {
      hostname,
      ...(url.port ? { port: url.port } : {}),
      ...(kind === https ? { rejectUnauthorized: !insecure } : {}),
    };
  }

  /** Begins a request. Throws what Node throws of a path that cannot be sent. */
  request({ method, path, fields, isFresh }: Sending): http.ClientRequest {
    const isSecure = this.url.protocol === 'https:';
    const { request } = isSecure ? https : http;
    const agent = isFresh ? false : this.agent;
    // As an array, fields are sent as they are. Node's types know objects only.
    const sent = request({
      ...this.names,
      method,
      path,
      headers: fields as unknown as http.OutgoingHttpHeaders,
      agent,
    });
    sent.on('socket', (socket) => {
      if (!socket.connecting) return;
      const abandon = () => sent.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' }));
      readAfterFailedWrite(socket);
      const connecting = setTimeout(abandon, CONNECT_MS);
      socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
      sent.once('close', () => clearTimeout(connecting));
    });
    return sent;
  }

  /**
   * The `Host` that the service gets for the one that a client has sent, if any. A service on this machine answers to
   * loopback names, whatever the port is, and makes URLs from the name that it is asked by. Any other has to be asked by its own.
   */
  hostFor(asked: string | undefined): string {
    return this.isLocal && asked !== undefined ? asked : this.url.host;
  }

  /** The origin that the service takes for its own, if a client has asked for this host. */
  private ownOrigin(asked: string | undefined): string {
    return `${this.url.protocol}//${this.hostFor(asked)}`;
  }

  /** An `Origin` for the service: a page of the proxy's origin is one of the service's own. */
  originFor(origin: string, asked: string | undefined): string {
    return origin === `http://${asked}` ? this.ownOrigin(asked) : origin;
  }

  /** A `Location` for a client of the proxy, which asked for a host: a URL of the service would lead around the proxy. */
  locationFor(location: string, asked: string | undefined): string {
    if (asked === undefined || !URL.canParse(location)) return location;
    const { origin, href } = new URL(location);
    const isOwn = origin === this.origin || origin === this.ownOrigin(asked);
    return isOwn ? `http://${asked}${href.slice(origin.length)}` : location;
  }

  /** The answer if no connection could be opened, or if the connection ended without an answer. */
  unreachable({ code, message }: NodeJS.ErrnoException): HttpProblem {
    const why = code ?? message;
    const at = this.origin;
    if (code === 'ETIMEDOUT') return new HttpProblem(504, `The service at ${at} did not accept a connection in time.`);
    if (code === 'HPE_HEADER_OVERFLOW')
      return this.badAnswer('a head larger than 16 KiB. Send fewer or shorter fields');
    if (code?.startsWith('HPE_')) return this.badAnswer(`what is not valid HTTP/1.1 (${message})`);
    if (code === 'ECONNRESET' || code === 'EPIPE') {
      return new HttpProblem(502, `The service at ${at} broke off without an HTTP answer (${why}). Look at its log.`);
    }
    const remedy = /CERT|SELF_SIGNED|SIGNATURE/.test(why)
      ? 'Start the proxy with --insecure to accept its certificate.'
      : 'Start it; the proxy need not be started again.';
    return new HttpProblem(502, `The service at ${at} could not be reached (${why}). ${remedy}`);
  }

  /** The answer in place of one that cannot be passed on. */
  badAnswer(fault: string): HttpProblem {
    return new HttpProblem(502, `The service at ${this.origin} answered with ${fault}.`);
  }

  close(): void {
    this.agent.destroy();
  }
}

/**
 * Keeps a write that fails from closing a connection before what has come on it is read. A service that refuses a large body
 * answers early and closes: without this, the proxy would meet the closed connection first, and not read the answer
 * (RFC 9112, section 9.6). The reading finds the answer, or the connection's end.
 */
function readAfterFailedWrite(socket: Socket): void {
  const [write, writev] = [socket._write, socket._writev];
  type Done = (error?: Error | null) => void;
  const unlessFailed =
    (done: Done): Done =>
    (error) => {
      if (!error) done();
    };
  socket._write = (chunk, encoding, done) => write.call(socket, chunk, encoding, unlessFailed(done));
  if (writev) socket._writev = (chunks, done) => writev.call(socket, chunks, unlessFailed(done));
}
