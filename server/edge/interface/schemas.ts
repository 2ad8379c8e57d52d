// What the server answers with, as clients see it. Members may be added: a client ignores those that it does not know.
import { z } from 'zod';
import { TECHNIQUE_NAMES, TECHNIQUES } from '../../techniques.js';

const count = z.int().min(0);
const named = (id: string, description: string, more: object = {}) => ({ id, description, ...more });

export const timestamp = z
  .string()
  .meta(named('Timestamp', 'RFC 3339, in UTC.', { format: 'date-time', examples: ['2026-11-23T09:00:00.000Z'] }));

export const state = z
  .enum(['queued', 'running', 'succeeded', 'failed', 'cancelled'])
  .meta(named('State', 'The last two and `succeeded` are final.'));

export const jobError = z
  .looseObject({})
  .nullable()
  .meta(named('JobError', 'When it failed, a problem object (RFC 9457); of a manual job, as it was told. Else null.'));

const id = '2b1f6f0e-6e0f-4f3a-9d55-0a4f3b8a7c11';
export const job = z
  .object({
    jobId: z.string().describe('Opaque.'),
    kind: z.enum(['video', 'simulated', 'manual']),
    state,
    progress: z.number().min(0).max(1).describe('Never goes backwards.'),
    version: z.int().min(1).describe('Grows by one with every change; also the `ETag`.'),
    createdAt: timestamp,
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    result: z.unknown().describe('When it succeeded: what `GET …/result` answers. Null before.'),
    error: jobError,
    links: z.object({ self: z.string(), result: z.string(), events: z.string() }),
  })
  .meta(
    named('Job', 'A job, as its newest event left it.', {
      examples: [
        {
          ...{ jobId: id, kind: 'simulated', state: 'running', progress: 0.35, version: 9 },
          ...{ createdAt: '2026-11-23T09:00:00.000Z', startedAt: '2026-11-23T09:00:00.001Z', finishedAt: null },
          ...{ result: null, error: null },
          links: { self: `/jobs/${id}`, result: `/jobs/${id}/result`, events: `/jobs/${id}/events` },
        },
      ],
    }),
  );

export const jobPage = z
  .object({
    jobs: z.array(job),
    next: z.string().nullable().describe('The `after` of the next page; null at the end.'),
  })
  .meta({ id: 'JobPage' });

export const simulatedResult = z.object({ steps: z.int(), durationMs: z.number() }).meta({ id: 'SimulatedResult' });

export const videoResult = z
  .object({
    bytes: z.int().min(1),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    container: z
      .string()
      .nullable()
      .meta({ examples: ['MPEG-4'] }),
    codec: z
      .string()
      .nullable()
      .meta({ examples: ['AVC'] }),
    width: z.int().nullable(),
    height: z.int().nullable(),
    durationMs: z.int().nullable(),
  })
  .meta(named('VideoResult', 'What cannot be known is null.'));

export const result = z
  .union([videoResult, simulatedResult, z.unknown()])
  .meta(named('Result', 'The original response of the task. Of a manual job, what it was told: any JSON.'));

export const eventData = z
  .looseObject({
    jobId: z.string(),
    progress: z.number().min(0).max(1),
    version: z.int().min(1),
    result: z.unknown().optional().describe('Of `succeeded`.'),
    error: z.unknown().optional().describe('Of `failed`.'),
  })
  .meta(named('EventData', 'Further members are those of a progress report.'));

export const event = z
  .object({
    id: z.string().describe('Its place in one ordered space for the whole server; opaque.'),
    event: z.enum(['queued', 'started', 'progress', 'succeeded', 'failed', 'cancelled']),
    data: eventData,
    at: timestamp,
  })
  .meta({ id: 'Event' });

export const gap = z
  .object({ oldest: z.string().nullable().describe('The id of the oldest event that is held.') })
  .meta(named('Gap', 'Events before these are no longer held, or were never of this store.'));

export const eventPage = z
  .object({
    gap: gap.optional(),
    events: z.array(event).max(1000),
    next: z.string().describe('The cursor to read on with: the last id given, or the one that came.'),
  })
  .meta({ id: 'EventPage' });

const tally = z
  .object({ requests: count, bytesIn: count, bytesOut: count, events: count, open: count })
  .meta({ id: 'Tally' });

const technique = z
  .enum(TECHNIQUE_NAMES)
  .meta(
    named('Technique', `${TECHNIQUE_NAMES.map((name) => `\`${name}\` (${TECHNIQUES[name].requests})`).join('; ')}.`),
  );

export const row = z
  .object({
    id: z.int().min(1).describe("The row's number since the server started."),
    method: z.string(),
    route: z.string().nullable().describe('As in this description (`/jobs/{id}`); null where there is none.'),
    experiment: z.string().nullable(),
    technique,
    status: z.int().nullable().describe('Null while held.'),
    arrivedAt: timestamp,
    answeredAt: timestamp.nullable().describe('When the headers of the response were out; null while held.'),
    endedAt: timestamp.nullable().describe('Null while open.'),
    bytesIn: count.describe(
      'HTTP/1.1: as on the connection, head and framing included, before encryption; HTTP/2: the payload of DATA frames.',
    ),
    bytesOut: count.describe('As `bytesIn`.'),
    events: count.describe('How many were sent.'),
    connection: z.int().min(1).describe('Which TCP connection it came on.'),
    protocol: z.string().meta({ examples: ['HTTP/1.1', 'HTTP/2'] }),
    server: z.string().describe('The name of the server (`--server-name`).'),
  })
  .meta(named('Row', 'One request, as the server saw it.'));

export const traffic = z
  .object({
    requests: z.array(row),
    totals: z.object(Object.fromEntries(TECHNIQUE_NAMES.map((technique) => [technique, tally]))),
  })
  .meta({ id: 'Traffic' });

export const problem = z
  .looseObject({
    type: z.string().meta({ format: 'uri-reference' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().describe('What was expected, what was got, and what to do.'),
  })
  .meta(named('Problem', 'RFC 9457.'));

export const noResult = problem
  .extend({ jobId: z.string(), state: z.enum(['failed', 'cancelled']), error: jobError })
  .meta(named('NoResult', 'A problem that says why there is no result.'));
