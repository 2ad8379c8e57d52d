// The parts that several routes have in common, each under the name that the description gives it.
import { z } from 'zod';
import type { Header, Parameter, Response } from './route.js';
import { noResult, problem } from './schemas.js';

export const PARAMETERS = {
  id: {
    in: 'path',
    name: 'id',
    description: "A job's `jobId`; opaque.",
    schema: z.string().min(1),
  },
  wait: {
    in: 'query',
    name: 'wait',
    description:
      'How long the client would wait, in whole seconds; 60 at most are granted. For a client that cannot set a header, or wants no CORS preflight. Wins over `Prefer`.',
    schema: z.int().min(0),
  },
  Prefer: {
    in: 'header',
    name: 'Prefer',
    description:
      '`wait=N`: the same as a preference (RFC 7240, section 4.3). What makes no sense is ignored; `Preference-Applied` names the N that was used.',
    schema: z.string(),
    example: 'wait=30',
  },
  experiment: {
    in: 'query',
    name: 'experiment',
    description: 'Names the experiment that the request is counted under. Wins over the header.',
    schema: z.string().max(100),
  },
  Experiment: {
    in: 'header',
    name: 'Experiment',
    description: 'The same, where the query names none.',
    schema: z.string().max(100),
  },
  afterEvent: {
    in: 'query',
    name: 'after',
    description: 'A cursor: the id of the last event that the client has; opaque. One that cannot be read is a `400`.',
    schema: z.string().min(1),
  },
  'Last-Event-ID': {
    in: 'header',
    name: 'Last-Event-ID',
    description:
      'The same, as an EventSource sends it when it reconnects. Of a stream it wins over `after`; one that cannot be read is a `gap`.',
    schema: z.string(),
  },
  min: {
    in: 'query',
    name: 'min',
    description: 'How many events to wait for. 0 never waits.',
    schema: z.int().min(0).max(1000).default(1),
  },
} satisfies Record<string, Parameter>;

/** What a client that would wait says. */
export const WAIT: Parameter[] = [PARAMETERS.wait, PARAMETERS.Prefer];

const seconds = z.int().min(0);
export const HEADERS = {
  ETag: {
    name: 'ETag',
    description: 'The version, in quotes.',
    schema: z.string().regex(/^"[0-9]+"$/),
    required: true,
  },
  Location: { name: 'Location', description: 'Where the job is.', schema: z.string(), required: true },
  'Retry-After': {
    name: 'Retry-After',
    description: 'How long to wait before asking again, in seconds.',
    schema: seconds,
    required: true,
  },
  'Retry-After-unfinished': {
    name: 'Retry-After',
    description: 'How long to wait before asking again, in seconds. Until the job ends.',
    schema: seconds,
  },
  'Preference-Applied': {
    name: 'Preference-Applied',
    description: 'The preference that was honored (RFC 7240, section 3), such as `wait=30`.',
    schema: z.string().regex(/^wait=[0-9]+$/),
  },
  'X-Accel-Buffering': {
    name: 'X-Accel-Buffering',
    description: 'Of a stream: tells proxies to pass it on as it comes.',
    schema: z.literal('no'),
  },
} satisfies Record<string, Header>;

const refusal = (description: string, ...more: Header[]): Response => ({
  description,
  headers: more,
  content: { 'application/problem+json': { schema: problem } },
});
const taken = (name: string, what: string): Header => ({
  name,
  description: `${what} that are taken.`,
  schema: z.string(),
});

export const RESPONSES = {
  BadRequest: refusal('Malformed, or out of range.'),
  Unauthorized: refusal('The server has an access token (`--access-token`), and the request does not bear it.', {
    name: 'WWW-Authenticate',
    description: 'The scheme, and what was wrong with the token (RFC 6750, section 3).',
    schema: z.string(),
    required: true,
  }),
  Forbidden: refusal('The request is from a page of an origin that is neither loopback nor allowed by the settings.'),
  NotFound: refusal('There is no such job: it never was, or it was among the oldest finished ones.'),
  NotAcceptable: refusal('Not served as any of the types in `Accept`.'),
  TooSlow: refusal('The request did not arrive whole in time.'),
  NoResult: {
    description: 'The job failed or was cancelled: it has no result.',
    headers: [HEADERS['Preference-Applied']],
    content: { 'application/problem+json': { schema: noResult } },
  },
  Immovable: refusal('The job has ended, is not a manual one, or would go backwards.'),
  TooLarge: refusal('The body is larger than is taken.'),
  UnsupportedMediaType: refusal(
    'The body is of a type, or in a coding, that is not taken.',
    taken('Accept-Post', 'The types'),
    taken('Accept-Encoding', 'The codings'),
  ),
  ExpectationFailed: refusal('An `Expect` other than `100-continue`.'),
  Misdirected: refusal('The `Host` is neither a loopback name nor one that the settings name.'),
  KeyReused: refusal('The `Idempotency-Key` was already used for a different request.'),
  TooManyJobs: refusal('As many jobs are unfinished as may be.', HEADERS['Retry-After']),
  HeadTooLarge: refusal('The head of the request is larger than 16 KiB.'),
  Unavailable: refusal(
    'As many clients wait as may, the server is stopping, or its storage cannot be written.',
    HEADERS['Retry-After'],
  ),
} satisfies Record<string, Response>;
