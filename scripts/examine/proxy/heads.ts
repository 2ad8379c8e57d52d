// The heads of HTTP messages: where a request goes, which answers can be passed on, and a head as text.
import type { IncomingMessage } from 'node:http';
import { statusName } from '../../../server/core/problem.js';
import { passedFields } from './fields.js';

type StatusLine = Pick<IncomingMessage, 'statusCode' | 'statusMessage'>;
/** An interim answer (RFC 9110, section 15.2), as Node's event `information` has it. */
export type Interim = Required<Pick<IncomingMessage, 'statusCode' | 'statusMessage' | 'rawHeaders' | 'httpVersion'>>;

/** The path and query of a request, whose target may be a whole URL (RFC 9112, section 3.2.2), or `*`. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  const path = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  return path.startsWith('/') || path === '*' ? path : `/${path}`;
}

/** Whether Node has taken a body out of its transfer coding. It knows "chunked" only, and leaves others (RFC 9112, section 7). */
export function isDecoded({ headers }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding'];
  return coding === undefined || /^\s*chunked\s*$/i.test(coding);
}

/** What keeps a final answer from being passed on, if anything does: the rest of "The service answered with …". */
export function faultOf(answer: IncomingMessage): string | undefined {
  const { statusCode = 0 } = answer;
  if (statusCode < 200 || !isPrintable(answer)) return 'a status line that is not valid (RFC 9112, section 4)';
  if (!isDecoded(answer)) return 'a transfer coding that was not asked for (RFC 9112, section 7.4)';
  return undefined;
}

/** Node's parser accepts control characters in the text of a status line. */
const isPrintable = ({ statusMessage = '' }: StatusLine) => /^[\t\x20-\x7e\x80-\xff]*$/.test(statusMessage);

/**
 * An interim answer as text, for a client of an HTTP version. Undefined if it is not to be passed on: HTTP/1.0 has no interim
 * answers (RFC 9110, section 15.2), and Node has functions of its own for 100.
 */
export function interimText(interim: Interim, version: string): string | undefined {
  const { statusCode, rawHeaders, httpVersion } = interim;
  if (version === '1.0' || statusCode === 100 || !isPrintable(interim)) return undefined;
  return headText(interim, passedFields(rawHeaders, httpVersion));
}

/** The head of an answer as text, in Latin-1, as Node has read it. */
export function headText({ statusCode = 0, statusMessage }: StatusLine, fields: readonly string[]): string {
  const name = statusMessage || statusName(statusCode) || '';
  return [`HTTP/1.1 ${statusCode} ${name}`, ...fieldLines(fields), '', ''].join('\r\n');
}

/** Names and values in turn, as the lines of a head. */
export const fieldLines = (fields: readonly string[]): string[] =>
  fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}`] : []));
