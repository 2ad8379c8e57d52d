import type { IncomingMessage } from 'node:http';
import { badRequest, Problem } from '../../core/problem.js';
import { hostOfSocket, isLoopback } from '../addresses.js';

/** A loopback name, without a port. */
const LOOPBACK = /^(localhost|[a-z0-9.-]+\.localhost|127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])$/;

/**
 * Makes the function that refuses requests of other sites' pages: it throws 400, 421 or 403. `allowHost` and `allowOrigin`
 * are lists with commas; `pages` are the paths that may be framed. A page of any site can send requests to a loopback
 * address of its reader's machine. Its `Origin` shows where it comes from, or its `Host`, when the site's own name was
 * bound to 127.0.0.1 (DNS rebinding). A server that other machines reach also accepts, as `Host`, the address that the client connected to:
 * with DNS rebinding, `Host` is a name.
 */
export function guard(
  { allowHost, allowOrigin, listen }: { allowHost: string; allowOrigin: string; listen: string },
  pages: ReadonlySet<string>,
): (req: IncomingMessage, path: string) => void {
  const hosts = names(allowHost);
  const origins = names(allowOrigin);
  const isOpen = !isLoopback(listen);
  // Most requests name the same host: the last one that was allowed is not looked at again.
  let allowed: string | undefined;
  return (req, path) => {
    const host = hostOf(req);
    if (host !== allowed) {
      const name = host === undefined ? undefined : nameOf(host);
      const isNamed = name === undefined || LOOPBACK.test(name) || hosts.has(name);
      if (!isNamed && !(isOpen && name === hostOfSocket(req.socket.localAddress ?? ''))) {
        const [own, use] = isOpen ? ['its own addresses', 'its address'] : ['loopback names', 'localhost'];
        const remedy = `Use ${use}, or start it with --allow-host.`;
        throw new Problem(421, `This server answers for ${own}, not for "${host}". ${remedy}`);
      }
      allowed = host;
    }
    const { origin, 'sec-fetch-site': from, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = req.headers;
    // For an image or a script, a page asks without an Origin. It could not read the answer, but its requests would be held
    // and counted; browsers tell where they come from (W3C, Fetch Metadata Request Headers). A link that is followed
    // navigates a window. So does a frame, which would hold a stream open: only pages may be framed, and their own policy
    // says by whom. A link that is fetched in advance (Fetch, section 2.2.7, "Sec-Purpose") would hold one without a
    // click, and does not tell whose link it is.
    const follows = mode === 'navigate' && (dest === 'document' || pages.has(path));
    if (origin === undefined && ((from === 'cross-site' && !follows) || 'sec-purpose' in req.headers))
      throw new Problem(403, 'Pages of other sites may link to this server, but take nothing from it.');
    if (origin === undefined || origins.has(origin.toLowerCase())) return;
    // "null" is the origin of sandboxed frames and of files of any site: it is not allowed.
    const site = /^https?:\/\/(.+?)(:\d+)?$/.exec(origin.toLowerCase())?.[1];
    // A page of this server: its origin is the host that the request is for, and that one is allowed.
    if (host !== undefined && /^https?:\/\/(.*)$/.exec(origin.toLowerCase())?.[1] === host.toLowerCase()) return;
    if (site === undefined || !LOOPBACK.test(site))
      throw new Problem(403, `Pages of "${origin}" may not use this server. Start it with --allow-origin to let them.`);
  };
}

const names = (list: string) => new Set(list.toLowerCase().match(/[^\s,]+/g));

/** Whether a value of Host is a loopback name: no site's name, which may have been bound to 127.0.0.1 (DNS rebinding). */
export const isLoopbackHost = (host: string): boolean => LOOPBACK.test(nameOf(host));
const nameOf = (host: string) => host.toLowerCase().replace(/:\d*$/, '');

/** The host the request is for; undefined in HTTP/1.0 without one. Error: 400. */
export function hostOf(req: IncomingMessage): string | undefined {
  const { host, ':authority': authority } = req.headers as Record<string, string | undefined>;
  // RFC 9113, section 8.3.1: in HTTP/2 a pseudo-header names it, and a Host field may only repeat that.
  if (authority !== undefined && (host ?? authority) === authority) return authority;
  // RFC 9112, section 3.2: 400 for a request that "lacks a Host header field" or has more than one.
  let fields = 0;
  const { rawHeaders } = req;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') fields += 1;
  }
  if (fields > 1 || authority !== undefined || (fields === 0 && req.httpVersion !== '1.0'))
    throw badRequest(`Expected one Host field, got ${fields}. Send the name and port you connected to.`);
  // RFC 9112, section 3.2.2: a target in absolute form replaces the field.
  const target = req.url as string;
  return target.startsWith('/') ? host : (/^[a-z]+:\/\/([^/?#]*)/i.exec(target)?.[1] ?? host);
}
