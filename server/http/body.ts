import type { Exchange } from './exchange.js';
import { badRequest, Problem } from './problem.js';

/** The largest JSON body, in bytes. */
export const MAX_JSON_BYTES = 64 * 1024;

/** How deep JSON may be nested: deeper, and walking it would overflow the stack. */
const MAX_DEPTH = 64;

/** The media type of a request, in lower case, without its parameters; empty when there is none. */
export function mediaType(x: Exchange): string {
  return (x.req.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/** Throws 415 for a body in a coding other than its own: compressed bytes would be read as the video itself. */
export function refuseCoding(x: Exchange): void {
  const coding = x.req.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    // RFC 9110, section 15.5.16: Accept-Encoding tells which codings would have been taken.
    throw new Problem(415, `Bodies are taken as they are, got Content-Encoding: ${coding}. Send it uncompressed.`, {
      'Accept-Encoding': 'identity',
    });
  }
}

/** The whole body, read as a JSON object. Errors: 400, 413, 415. */
export async function readJson(
  x: Exchange,
  limit = MAX_JSON_BYTES,
): Promise<{ text: string; value: Record<string, unknown> }> {
  refuseCoding(x);
  if (mediaType(x) !== 'application/json') {
    throw new Problem(415, `Expected Content-Type: application/json, got "${mediaType(x)}".`, {
      'Accept-Post': 'application/json',
    });
  }
  if (Number(x.req.headers['content-length']) > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of x.body()) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  const text = decode(Buffer.concat(chunks));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`Expected a JSON object, got text that is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest(
      `Expected a JSON object, got ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`}.`,
    );
  }
  if (deeperThan(MAX_DEPTH, value)) {
    throw badRequest(`Expected JSON nested at most ${MAX_DEPTH} levels deep, got more.`);
  }
  return { text, value: value as Record<string, unknown> };
}

function deeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => deeperThan(levels - 1, member));
}

/** RFC 8259, section 8.1: JSON that is exchanged is UTF-8. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badRequest('Expected JSON in UTF-8, got bytes that are not UTF-8.');
  }
}

export const tooLarge = (limit: number) =>
  new Problem(413, `The body may have ${limit} bytes, and this one has more. Send less.`);
