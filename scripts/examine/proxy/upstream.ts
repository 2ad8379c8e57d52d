import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type TcpNetConnectOpts } from 'node:net';
import { Problem as HttpProblem } from '../../../server/core/problem.js';
import { isLoopback } from '../../../server/edge/addresses.js';
import { Problem } from '../../shared/problem.mjs';
import { shownUrl } from '../redact.js';

/** How long a connection to the service may take to open, with its TLS handshake if it has one, in milliseconds. */
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
  /** The `Host` that the service is sent; undefined if it gets the one that the client sent. */
  readonly host: string | undefined;
  /** The loopback name by which clients reach the proxy: the service's own, so that its cookies are sent. */
  readonly name: string;
  private readonly url: URL;
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
    // A service on this machine answers to loopback names, whatever the port is, and makes URLs from the name that it is
    // asked by. Any other has to be asked by its own.
    const isLocal =
      hostname === 'localhost' || hostname.endsWith('.localhost') || (isIP(hostname) !== 0 && isLoopback(hostname));
    this.name = isLocal && isIP(hostname) === 0 ? hostname : '127.0.0.1';
    this.host = isLocal ? undefined : url.host;
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
      const connecting = setTimeout(abandon, CONNECT_MS);
      socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
      sent.once('close', () => clearTimeout(connecting));
    });
    return sent;
  }

  /** A `Location` for a client of the proxy, which asked for `host`: a URL of the service would lead around the proxy. */
  locationFor(location: string, host: string | undefined): string {
    if (host === undefined || !URL.canParse(location)) return location;
    const { origin, href } = new URL(location);
    return origin === this.origin ? `http://${host}${href.slice(origin.length)}` : location;
  }

  /** The answer if no connection could be opened, or if the connection ended without an answer. */
  unreachable({ code, message }: NodeJS.ErrnoException): HttpProblem {
    const why = code ?? message;
    const at = this.origin;
    if (code === 'ETIMEDOUT') return new HttpProblem(504, `The service at ${at} did not accept a connection in time.`);
    if (code === 'ECONNRESET' || code?.startsWith('HPE_')) {
      return new HttpProblem(502, `The service at ${at} broke off without an HTTP answer (${why}). Look at its log.`);
    }
    const remedy = /CERT|SELF_SIGNED|SIGNATURE/.test(why)
      ? 'Start the proxy with --insecure to accept its certificate.'
      : 'Start it; the proxy need not be started again.';
    return new HttpProblem(502, `The service at ${at} could not be reached (${why}). ${remedy}`);
  }

  close(): void {
    this.agent.destroy();
  }
}
