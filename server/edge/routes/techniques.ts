import { z } from 'zod';
import { allEvents, EVENT_TYPES, jobEvents } from '../../core/techniques/events.js';
import { result } from '../../core/techniques/result.js';
import { status } from '../../core/techniques/status.js';
import { submit } from '../../core/techniques/submit.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { HEADERS, PARAMETERS, RESPONSES, WAIT } from '../interface/parts.js';
import { empty, json, type Link, type Response, type Route } from '../interface/route.js';
import * as schemas from '../interface/schemas.js';
import { MAX_DURATION_MS, submissionOf, submitBody } from './submission.js';

// How the techniques are routed and described. What each of them does stands in `core/techniques`.

/** What a client may do with the job that it has been given. */
const next = (operation: string, description: string): Link => ({
  ...{ operation, description, parameters: { id: '$response.body#/jobId' } },
});

/** An event stream as the description of the interface has it. `also` names further events. */
const eventStream = (also: string) => ({
  schema: z
    .string()
    .describe(
      `Server-sent events (WHATWG HTML, section 9.2). \`event\` is one of queued, started, progress, succeeded, failed, cancelled${also} or gap; \`data\` is JSON: an EventData, of a gap a Gap.`,
    ),
  example:
    'retry: 1000\n\nid: k3v9x0ab-1\nevent: queued\ndata: {"jobId":"2b1f6f0e-6e0f-4f3a-9d55-0a4f3b8a7c11","progress":0,"version":1}\n\n:\n\n',
});

export const submitJob: Route = {
  ...{ method: 'POST', path: '/jobs', operation: 'submitJob', tag: 'jobs' },
  answer: (x) => submit(x, submissionOf(x)),
  technique: () => 'submit',
  summary: 'Submit a job',
  description:
    'Accepts the work and answers immediately with a job, so that the client need not wait. Simulated and manual jobs start immediately; uploads take turns. With a wait it is plain request and response: the answer is held until the job ends. As `text/event-stream` the answer is the event stream of the job, from its first event; `wait` means nothing then. A client that loses it goes on at `Location` + `/events` with `Last-Event-ID`.',
  takes: [
    {
      ...{ in: 'query', name: 'durationMs', schema: z.int().min(0).max(MAX_DURATION_MS) },
      description:
        'Of an upload: how long its job is to last, in milliseconds. Without it, the job ends as soon as the file is read. Means nothing with JSON.',
    },
    {
      ...{ in: 'header', name: 'Idempotency-Key', schema: z.string().min(1).max(255) },
      description:
        'A repeated submit with the same key is the same job, also while the first is in flight (draft-ietf-httpapi-idempotency-key-header). A UUID, say.',
    },
    ...WAIT,
  ],
  body: {
    'application/json': {
      schema: submitBody,
      examples: {
        simulated: {
          summary: 'A job of known duration',
          value: { kind: 'simulated', durationMs: 5000, steps: 20, failAtStep: null },
        },
        failing: {
          summary: 'One that fails half-way',
          value: { kind: 'simulated', durationMs: 1000, steps: 10, failAtStep: 5 },
        },
        manual: { summary: 'A job that moves only when told', value: { kind: 'manual' } },
      },
    },
    'video/*': {
      schema: z
        .unknown()
        .describe(
          'The bytes of a video, streamed to disk as they arrive. The job reads them: SHA-256, container, codec, size and duration.',
        ),
    },
    'application/octet-stream': { schema: z.unknown().describe('The same, without saying which kind of video.') },
  },
  answers: {
    200: {
      description: 'With a wait: the job has succeeded, and this is its result. Or the event stream of the job.',
      headers: [HEADERS.Location, HEADERS['Preference-Applied'], HEADERS['X-Accel-Buffering']],
      content: { 'application/json': { schema: schemas.result }, 'text/event-stream': eventStream('') },
    },
    202: {
      ...json(
        'The job is taken. With a wait: it did not end in time, or (without `Preference-Applied`) no more clients can wait.',
        schemas.job,
        ...[HEADERS.Location, HEADERS['Retry-After'], HEADERS['Preference-Applied']],
      ),
      links: {
        status: next('getJob', 'Ask how far it is: short poll.'),
        result: next('getResult', 'Ask for its result; with a wait, a long poll.'),
        events: next('readJobEvents', 'Follow its events: SSE.'),
        cancel: next('cancelJob', 'Cancel it.'),
        progress: next('progressJob', 'Move it on, if it is a manual one.'),
        finish: next('finishJob', 'End it, if it is a manual one.'),
      },
    },
    409: { ...RESPONSES.NoResult, headers: [HEADERS.Location, HEADERS['Preference-Applied']] },
    422: RESPONSES.KeyReused,
    429: RESPONSES.TooManyJobs,
    503: RESPONSES.Unavailable,
  },
};

const JOB_HEAD = [HEADERS.ETag, HEADERS['Retry-After-unfinished'], HEADERS['Preference-Applied']];

export const getJob: Route = {
  ...{ method: 'GET', path: '/jobs/{id}', answer: status, operation: 'getJob', tag: 'jobs' },
  technique: (x) => (x.wait() ? 'long-poll' : 'short-poll'),
  summary: 'Short poll: the status, immediately',
  description:
    '**With a wait and `If-None-Match`**: a long poll for the next change, held until the version is another one; `304` when the time is up, or immediately when the job has ended. With a wait alone: at once.',
  takes: [
    {
      ...{ in: 'header', name: 'If-None-Match', schema: z.string(), example: '"9"' },
      description: 'The `ETag` that the client has (RFC 9110, section 13.1.2).',
    },
    ...WAIT,
  ],
  answers: {
    200: json('The job.', schemas.job, ...JOB_HEAD),
    304: empty('The client has this version already.', ...JOB_HEAD),
    503: RESPONSES.Unavailable,
  },
};

export const getResult: Route = {
  ...{ method: 'GET', path: '/jobs/{id}/result', answer: result, operation: 'getResult', tag: 'jobs' },
  technique: (x) => (x.wait() ? 'long-poll' : 'other'),
  summary: 'Long poll: no status, only the end',
  description:
    'The original response of the task. Without a wait: the result if there is one. **With a wait**: held until the job ends or the time is up.',
  takes: WAIT,
  answers: {
    200: json('The result itself.', schemas.result, HEADERS['Preference-Applied']),
    202: json('The job has not ended: ask again.', schemas.job, HEADERS['Retry-After'], HEADERS['Preference-Applied']),
    409: RESPONSES.NoResult,
    503: RESPONSES.Unavailable,
  },
};

const WAYS = (held: string, begins: string) => `One cursor, two ways to read past it.

**As \`text/event-stream\`** (also without \`Accept\`, or with \`*/*\`): a response with a start and no end. It opens with \`retry:\`, sends a comment after a while of silence, and after the final event stays open: it is for the client to close. \`wait\` and \`min\` mean nothing here.

**As \`application/json\`**: consume, as Kafka's consumers do. With a wait, it is held until there are \`min\` events past \`after\`, ${held}or the time is up. \`Last-Event-ID\` means nothing here.

It begins ${begins} Where what is asked for is no longer held, or the id was never given by this store, an event \`gap\` without an id comes first, and the oldest event that is held next.`;

/** The same events in two ways, by `Accept`. Error: 406. */
const eventsTechnique = (x: HttpExchange) =>
  x.accepts(...EVENT_TYPES) === 'text/event-stream' ? 'event-stream' : 'consume';

const TAKES = [PARAMETERS.afterEvent, PARAMETERS['Last-Event-ID'], PARAMETERS.min, ...WAIT];

const eventsAnswer = (operation: string, also: string, id: Record<string, string>): Response => ({
  description: 'The stream, or the events past the cursor, at most 1000 of them.',
  headers: [HEADERS['Preference-Applied'], HEADERS['X-Accel-Buffering']],
  content: {
    'text/event-stream': eventStream(also),
    'application/json': { schema: schemas.eventPage },
  },
  links: {
    next: {
      ...{ operation, parameters: { ...id, after: '$response.body#/next' } },
      description: 'Read on: what comes after these events.',
    },
  },
});

export const readJobEvents: Route = {
  ...{ method: 'GET', path: '/jobs/{id}/events', answer: jobEvents, operation: 'readJobEvents', tag: 'events' },
  technique: eventsTechnique,
  summary: "A job's events: SSE, or consume",
  description: WAYS('or the job has ended, ', 'with the first event, unless a cursor says otherwise.'),
  takes: TAKES,
  answers: {
    200: eventsAnswer('readJobEvents', '', { id: '$request.path.id' }),
    204: empty(
      'A stream whose cursor is at or past the final event: nothing follows. An EventSource stops reconnecting (WHATWG HTML, section 9.2.1).',
    ),
    503: RESPONSES.Unavailable,
  },
};

export const readEvents: Route = {
  ...{ method: 'GET', path: '/events', answer: allEvents, operation: 'readEvents', tag: 'events' },
  technique: eventsTechnique,
  summary: "Every job's events: notification",
  description: WAYS(
    '',
    'now, unless a cursor says otherwise; such a stream begins with an event `position` (an id, data `{}`), so that a drop before the first event loses nothing.',
  ),
  takes: TAKES,
  answers: { 200: eventsAnswer('readEvents', ', position', {}), 503: RESPONSES.Unavailable },
};
