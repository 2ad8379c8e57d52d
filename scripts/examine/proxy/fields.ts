// The header fields of a message that a proxy passes on. Fields are names and values in turn, as Node's `rawHeaders` has
// them: their order, their case and repeated fields stay as they are.
import type { IncomingMessage } from 'node:http';
import { hostOf } from '../../../server/edge/http/guard.js';
import type { Upstream } from './upstream.js';

/** Fields of the connection alone, which the next connection must not get (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'];
/** A proxy may drop trailers (RFC 9110, section 6.5.1). This one does, and so it does not announce them. */
const TRAILERS = 'trailer';

/** What this proxy calls itself in `Via`. The version is that of the message which was received (RFC 9110, section 7.6.3). */
const via = (version: string) => `${version} polling-lab-examine`;

/** The fields of a request for the service, but for `dropped` (in lower case). */
export function requestFields(req: IncomingMessage, upstream: Upstream, dropped: readonly string[] = []): string[] {
  const asked = hostOf(req);
  // RFC 9110, section 10.1.1: an expectation of HTTP/1.0 is ignored.
  const ignored = req.httpVersion === '1.0' ? ['expect'] : [];
  const fields = passedFields(req.rawHeaders, req.httpVersion, ['host', ...dropped, ...ignored]);
  // RFC 9112, section 3.2: one Host, and first. It is the one that was checked: a target in absolute form replaces the field.
  return [
    ...['Host', upstream.hostFor(asked)],
    ...replaceField(fields, 'origin', (origin) => upstream.originFor(origin, asked)),
  ];
}

/** The fields of an answer, for the client that has sent a request. */
export function answerFields(answer: IncomingMessage, upstream: Upstream, req: IncomingMessage): string[] {
  const fields = passedFields(answer.rawHeaders, answer.httpVersion);
  return replaceField(fields, 'location', (location) => upstream.locationFor(location, hostOf(req)));
}

/** The fields to pass on of a message of an HTTP version: without those of the connection, and with `Via`. */
export function passedFields(raw: readonly string[], version: string, dropped: readonly string[] = []): string[] {
  const own = new Set([...HOP_BY_HOP, TRAILERS, ...dropped]);
  // "Connection" names further fields of the connection. It cannot name these two: they frame the body and route the request.
  for (const name of named(raw)) if (name !== 'content-length' && name !== 'host') own.add(name);
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!own.has(name.toLowerCase())) kept.push(name, raw[i + 1] as string);
  }
  return [...kept, 'Via', via(version)];
}

/** The options that the fields `Connection` of a message name, in lower case. */
function named(raw: readonly string[]): string[] {
  const values = raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === 'connection');
  return values.flatMap((value) => value.toLowerCase().split(',')).map((name) => name.trim());
}

/** Fields with the value of each field of a name replaced. */
function replaceField(fields: readonly string[], name: string, replace: (value: string) => string): string[] {
  return fields.map((each, i) => (i % 2 === 1 && fields[i - 1]?.toLowerCase() === name ? replace(each) : each));
}
