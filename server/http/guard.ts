import type { IncomingMessage } from 'node:http';
import { badRequest, Problem } from './problem.js';

const LOOPBACK = /^(localhost|[a-z0-9.-]+\.localhost|127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])$/;

/**
 * Who may talk to this server. A page of any web site can send requests to a reader's loopback address; what
 * gives it away is its `Origin`, or, when its own name was rebound to 127.0.0.1, its `Host`.
 */
export class Guard {
  private readonly hosts: ReadonlySet<string>;
  private readonly origins: ReadonlySet<string>;

  constructor(allowHost: string, allowOrigin: string) {
    this.hosts = names(allowHost);
    this.origins = names(allowOrigin);
  }

  /** Throws 400, 421 or 403 for a request that must not be served. */
  check(req: IncomingMessage): void {
    const host = this.hostOf(req);
    if (host !== null && !this.isHost(host)) {
      throw new Problem(
        421,
        `This server answers for loopback names, not for "${host}". Use localhost, or start it with --allow-host.`,
      );
    }
    const { origin } = req.headers;
    if (origin !== undefined && !this.isOrigin(origin)) {
      throw new Problem(403, `Pages of "${origin}" may not use this server. Start it with --allow-origin to let them.`);
    }
  }

  /** The host the request is for. RFC 9112, section 3.2.2: a target in absolute form replaces the field. */
  private hostOf(req: IncomingMessage): string | null {
    const target = /^[a-z]+:\/\/([^/?#]*)/i.exec(req.url ?? '')?.[1];
    const named: string[] = [];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      const name = req.rawHeaders[i] as string;
      if (name.length === 4 && name.toLowerCase() === 'host') named.push(req.rawHeaders[i + 1] as string);
    }
    // RFC 9113, section 8.3.1: in HTTP/2 a pseudo-header names it, and a Host field may only repeat that.
    const authority = req.headers[':authority'] as string | undefined;
    if (authority !== undefined && named.every((host) => host === authority)) return authority;
    // RFC 9112, section 3.2: 400 for a request that "lacks a Host header field" or has more than one.
    if (named.length > 1 || authority !== undefined || (named.length === 0 && req.httpVersion !== '1.0'))
      throw badRequest(`Expected one Host field, got ${named.length}. Send the name and port you connected to.`);
    return target ?? named[0] ?? null;
  }

  private isHost(host: string): boolean {
    const name = host.toLowerCase().replace(/:\d*$/, '');
    return LOOPBACK.test(name) || this.hosts.has(name);
  }

  /** "null", the origin of sandboxed frames and of files, is nobody's in particular: not allowed. */
  private isOrigin(origin: string): boolean {
    const name = /^https?:\/\/(.+)$/.exec(origin.toLowerCase())?.[1];
    return this.origins.has(origin.toLowerCase()) || (name !== undefined && LOOPBACK.test(name.replace(/:\d+$/, '')));
  }
}

const names = (list: string) =>
  new Set(
    list
      .toLowerCase()
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  );
