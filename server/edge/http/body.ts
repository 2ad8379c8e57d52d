import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { badRequest, Problem } from '../../core/problem.js';
import type { HttpExchange } from './http-exchange.js';
import { limitBody } from './http2.js';

/** The largest JSON body, in bytes. */
const MAX_JSON_BYTES = 64 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** How deep JSON may be nested. To walk through deeper JSON would overflow the stack. */
const MAX_DEPTH = 64;

/** The media type of a request, in lower case, without its parameters; empty when there is none. */
export function mediaType(x: HttpExchange): string {
  return (x.req.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/** The body as it arrives. A client that expects a `100 Continue` gets it first. Errors: 413, 415, 501. */
export function body(x: HttpExchange, limit: number): AsyncIterable<Buffer> {
  invite(x, limit);
  return bounded(x.req, limit);
}

/** Lets the client send its body, if it can be taken. Errors: 413, 415, 501. */
function invite(x: HttpExchange, limit: number): void {
  const { context, req, res } = x;
  const coding = req.headers['content-encoding'];
  // Compressed bytes would be read as the video itself.
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    // RFC 9110, section 15.5.16: Accept-Encoding tells which codings would have been taken.
    throw new Problem(415, `Bodies are taken as they are, got Content-Encoding: ${coding}. Send it uncompressed.`, {
      'Accept-Encoding': 'identity',
    });
  }
  // RFC 9112, section 6.1: 501 for a transfer coding that is not understood. Node undoes "chunked" and leaves the others.
  const transfer = req.headers['transfer-encoding'];
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked')
    throw new Problem(
      501,
      `Expected Transfer-Encoding: chunked or none, got "${transfer}". Send the body uncompressed.`,
    );
  if (Number(req.headers['content-length']) > limit) throw tooLarge(limit);
  if (x.expects === 'continue') res.writeContinue();
  limitBody(req, context.settings.bodyTimeoutMs);
}

async function* bounded(req: IncomingMessage, limit: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  // A body that is refused half-way is still read to its end by Node, so that its client gets to read the answer.
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge(limit);
    yield chunk;
  }
}

/** The whole body as JSON: its text, and the value that a schema takes. Errors: 400, 413, 415, 501, 503. */
export async function readJson<T>(x: HttpExchange, schema: z.ZodType<T>): Promise<{ text: string; value: T }> {
  if (mediaType(x) !== 'application/json') {
    const detail = `Expected Content-Type: application/json, got "${mediaType(x)}".`;
    throw new Problem(415, detail, { 'Accept-Post': 'application/json' });
  }
  invite(x, MAX_JSON_BYTES);
  const bytes = await x.context.bodies.collect(x.req, MAX_JSON_BYTES, tooLarge);
  let text: string;
  let value: unknown;
  try {
    // RFC 8259, section 8.1: JSON that is exchanged is UTF-8.
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`Expected valid JSON in UTF-8: ${(error as Error).message}`);
  }
  if (deeperThan(MAX_DEPTH, value)) {
    throw badRequest(`Expected JSON nested at most ${MAX_DEPTH} levels deep, got more.`);
  }
  return { text, value: valid(schema, value) };
}

function deeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => deeperThan(levels - 1, member));
}

/** A value that a schema takes. Error: 400, which names each member that is wrong, what it should be and what it is. */
function valid<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message, input }) => {
    const got = JSON.stringify(input)?.slice(0, 100) ?? 'nothing';
    return `${path.join('.') || 'the body'}: ${message.replace(/^Invalid input: /, '')}, got ${got}`;
  });
  throw badRequest(`${faults.join('; ')}. GET /openapi.json describes the accepted fields.`);
}

const tooLarge = (limit: number) =>
  new Problem(413, `The body may have ${limit} bytes, and this one has more. Send less.`);
