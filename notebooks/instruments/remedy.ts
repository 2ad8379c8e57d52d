import { subscribe } from 'node:diagnostics_channel';
import { errorMonitor } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';

/** The servers that connect() found, by their origins, each with what helps when it is gone. */
const remedies = new Map<string, string>();

/** For each error of a failed request of node:http or undici, the origin that it asked. The errors themselves rarely contain it. */
const origins = new WeakMap<object, string>();

/** The key of the symbol under which the course's kernel looks for a remedy; scripts/kernel-settings.json has it. */
const REMEDY = Symbol.for('polling-lab.remedy');

/** How a connection fails whose server is not there, or goes away: Node's own codes, undici's, and that of a stream cut off. */
const GONE = /^(ECONNREFUSED|ECONNRESET|EPIPE|UND_ERR_SOCKET|ERR_STREAM_PREMATURE_CLOSE)$/;

/**
 * From now on, the kernel shows `remedy` below an error of a connection to one of these URLs, whichever client the cell used.
 *
 * @param remedy sentences that say what brings the server back.
 */
export function offerRemedy(urls: string[], remedy: string): void {
  noteOrigins();
  for (const url of urls) remedies.set(new URL(url).origin, remedy);
  (globalThis as Record<symbol, unknown>)[REMEDY] = remedyFor;
}

/** What helps when the server at an origin is gone; undefined for a server that is not the course's. */
export const remedyAt = (origin: string) => remedies.get(origin);

/** What happened at which address, and what helps; undefined unless a connection to the course's server failed. */
export function remedyFor(error: Error): string | undefined {
  for (const part of partsOf(error)) {
    const code = String((part as NodeJS.ErrnoException).code);
    const origin = GONE.test(code) ? originOf(part) : undefined;
    const remedy = origin && remedies.get(origin);
    if (!remedy) continue;
    if (error.message.includes(remedy)) return undefined; // it says so itself
    const what =
      code === 'ECONNREFUSED'
        ? `The course's server does not answer at ${origin}.`
        : `The course's server at ${origin} closed the connection before its answer was complete. Has it ended?`;
    return `${what} ${remedy}`;
  }
  return undefined;
}

/** An error, its causes, and the errors that it gathers: each once. */
function partsOf(error: unknown, parts = new Set<Error>()): Set<Error> {
  if (!(error instanceof Error) || parts.has(error)) return parts;
  parts.add(error);
  partsOf(error.cause, parts);
  const { errors } = error as AggregateError;
  if (Array.isArray(errors)) for (const each of errors) partsOf(each, parts);
  return parts;
}

/** The origin that a failed request asked: as noted in `origins`, or from the error's message. node-fetch creates its own errors, and puts the URL into their message. */
function originOf(error: Error): string | undefined {
  const url = /\bhttps?:\/\/[^\s,]+/.exec(error.message)?.[0];
  return origins.get(error) ?? (url && URL.canParse(url) ? new URL(url).origin : undefined);
}

let notes = false;
function noteOrigins(): void {
  if (notes) return;
  notes = true;
  const note = (origin: string) => (error: Error) => void origins.set(error, origin);
  // https://nodejs.org/api/diagnostics_channel.html#built-in-channels, https://undici.nodejs.org/#/docs/api/DiagnosticsChannel
  subscribe('undici:request:error', (message) => {
    const { request, error } = message as { request: { origin: string | URL }; error: Error };
    origins.set(error, new URL(request.origin).origin);
  });
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest };
    request.on(errorMonitor, note(originOfRequest(request)));
  });
  // "Finish" is when the head of the response has come.
  subscribe('http.client.response.finish', (message) => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
    response.on(errorMonitor, note(originOfRequest(request)));
  });
}

/** By its header `Host`, since a request does not keep its port. */
function originOfRequest(request: ClientRequest): string {
  const url = `${request.protocol}//${request.getHeader('host')}`;
  return URL.canParse(url) ? new URL(url).origin : '';
}
