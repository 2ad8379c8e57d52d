import { subscribe } from 'node:diagnostics_channel';
import { Agent, type ClientRequest, type RequestOptions } from 'node:http';

/** The tokens that requests of this kernel bear, by the origin that they go to. */
const tokens = new Map<string, string>();

/**
 * Sends an access token (RFC 6750) with every request of this kernel to a server, whichever client sends it: `fetch`, node-fetch, an
 * EventSource, node:http. So cells need no code for it, and no notebook contains the token. A request that has an `Authorization`
 * already keeps it.
 *
 * @param urls where the server is: a request to any other origin does not bear the token.
 */
export function authorize(urls: string[], token: string): void {
  sendTokens();
  for (const url of urls) tokens.set(new URL(url).origin, `Bearer ${token}`);
}

/** Sends no access token to these servers any more. */
export function withdraw(urls: string[]): void {
  for (const url of urls) tokens.delete(new URL(url).origin);
}

/** The token for a URL, which may be none at all. */
const tokenFor = (url: string) => (URL.canParse(url) ? tokens.get(new URL(url).origin) : undefined);

/** Whether a request of undici has an `Authorization`: it keeps names and values in turn, in old versions lines of text. */
const hasAuthorization = (headers: unknown) =>
  Array.isArray(headers)
    ? headers.some((name, index) => index % 2 === 0 && /^authorization$/i.test(String(name)))
    : /^authorization:/im.test(String(headers));

let sends = false;
function sendTokens(): void {
  if (sends) return;
  sends = true;
  // Node's own fetch: https://undici.nodejs.org/#/docs/api/DiagnosticsChannel
  subscribe('undici:request:create', (message) => {
    const { request } = message as {
      request: { origin: string | URL; headers: unknown; addHeader(name: string, value: string): void };
    };
    const token = tokenFor(String(request.origin));
    if (token && !hasAuthorization(request.headers)) request.addHeader('authorization', token);
  });
  // node:http, and with it node-fetch. Every request that has an agent, a default one or none, is added to one by this method.
  // It is the latest moment at which every version of Node takes a header.
  const prototype = Agent.prototype as unknown as { addRequest(request: ClientRequest, to: RequestOptions): void };
  const { addRequest } = prototype;
  prototype.addRequest = function (request, to) {
    // Where the connection goes to; the header `Host` may name anything.
    const host = to.host?.includes(':') ? `[${to.host}]` : to.host;
    const token = to.socketPath ? undefined : tokenFor(`${request.protocol}//${host}:${to.port}`);
    if (token && !request.headersSent && !request.hasHeader('authorization')) request.setHeader('Authorization', token);
    addRequest.call(this, request, to);
  };
}
