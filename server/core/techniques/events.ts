import { z } from 'zod';
import type { Exchange } from '../../edge/http/exchange.js';
import { badRequest } from '../../edge/http/problem.js';
import { HEADERS, PARAMETERS, RESPONSES, WAIT } from '../../edge/interface/parts.js';
import { empty, type Response, type Route } from '../../edge/interface/route.js';
import * as schemas from '../../edge/interface/schemas.js';
import { NOWHERE } from '../log/event.js';
import type { Topic } from '../log/topic.js';
import { consume } from './consume.js';
import { streamHead } from './event-stream.js';
import { stream } from './stream.js';

/** Where a reader begins. */
export interface Start {
  after: number;
  /** It named the place itself. */
  resumed: boolean;
}

/** `GET /jobs/{id}/events`: one job's events, from the first one on. */
export function jobEvents(x: Exchange): void | Promise<void> {
  return read(x, x.job().events, 0);
}

/** `GET /events`: the events of all jobs, from now on. */
export function allEvents(x: Exchange): void | Promise<void> {
  const { all } = x.app.log;
  return read(x, all, all.head);
}

/** The same events in two ways: as a stream, or as JSON a batch at a time. */
function read(x: Exchange, topic: Topic, from: number): void | Promise<void> {
  const type = x.accepts('text/event-stream', 'application/json');
  if (type === 'application/json') return consume(x, topic, start(x, from, false));
  x.is('event-stream');
  const begin = start(x, from, true);
  // "Clients will reconnect if the connection is closed; a client can be told to stop reconnecting using the HTTP 204
  // No Content response code." (WHATWG HTML, section 9.2.1)
  if (begin.resumed && topic.ended && begin.after >= topic.head) return x.empty(204);
  if (x.req.method === 'HEAD') return streamHead(x);
  stream(x, topic, begin);
}

/** Reads the cursor. An EventSource keeps its URL when it reconnects, so that its `Last-Event-ID` wins. Error: 400. */
function start(x: Exchange, from: number, header: boolean): Start {
  const last = header ? (x.req.headers['last-event-id'] as string | undefined) : undefined;
  const id = last || x.query.get('after');
  if (id === null) return { after: from, resumed: false };
  const { all, ids } = x.app.log;
  const place = ids.read(id);
  if (place === null && !last)
    throw badRequest(`after expects the id of an event, got "${id}". Leave it out to begin anew.`);
  // A place past the newest event was never given.
  const given = place !== null && place <= all.head;
  return { after: given ? place : NOWHERE, resumed: true };
}

/** The data of a `gap`: the oldest event that is held, which comes next. */
export function gapData(x: Exchange, topic: Topic): string {
  const { oldest } = topic;
  return JSON.stringify({ oldest: oldest ? x.app.log.ids.of(oldest.seq) : null });
}

const WAYS = (held: string, begins: string) => `One cursor, two ways to read past it.

**As \`text/event-stream\`** (also without \`Accept\`, or with \`*/*\`): a response with a start and no end. It opens with \`retry:\`, sends a comment after a while of silence, and after the final event stays open: it is for the client to close. \`wait\` and \`min\` mean nothing here.

**As \`application/json\`**: consume, as Kafka's consumers do. With a wait, it is held until there are \`min\` events past \`after\`, ${held}or the time is up. \`Last-Event-ID\` means nothing here.

It begins ${begins} Where what is asked for is no longer held, or the id was never given by this store, an event \`gap\` without an id comes first, and the oldest event that is held next.`;

const TAKES = [PARAMETERS.afterEvent, PARAMETERS['Last-Event-ID'], PARAMETERS.min, ...WAIT];

const answered = (operation: string, also: string, id: Record<string, string>): Response => ({
  description: 'The stream, or the events past the cursor, at most 1000 of them.',
  headers: [HEADERS['Preference-Applied'], HEADERS['X-Accel-Buffering']],
  content: {
    'text/event-stream': {
      schema: z
        .string()
        .describe(
          `Server-sent events (WHATWG HTML, section 9.2). \`event\` is one of queued, started, progress, succeeded, failed, cancelled${also} or gap; \`data\` is JSON: an EventData, of a gap a Gap.`,
        ),
      example:
        'retry: 1000\n\nid: k3v9x0ab-1\nevent: queued\ndata: {"jobId":"2b1f6f0e-6e0f-4f3a-9d55-0a4f3b8a7c11","progress":0,"version":1}\n\n:\n\n',
    },
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
  summary: "A job's events: SSE, or consume",
  description: WAYS('or the job has ended, ', 'with the first event, unless a cursor says otherwise.'),
  takes: TAKES,
  answers: {
    200: answered('readJobEvents', '', { id: '$request.path.id' }),
    204: empty(
      'A stream whose cursor is at or past the final event: nothing follows. An EventSource stops reconnecting (WHATWG HTML, section 9.2.1).',
    ),
    503: RESPONSES.Unavailable,
  },
};

export const readEvents: Route = {
  ...{ method: 'GET', path: '/events', answer: allEvents, operation: 'readEvents', tag: 'events' },
  summary: "Every job's events: notification",
  description: WAYS(
    '',
    'now, unless a cursor says otherwise; such a stream begins with an event `position` (an id, data `{}`), so that a drop before the first event loses nothing.',
  ),
  takes: TAKES,
  answers: { 200: answered('readEvents', ', position', {}), 503: RESPONSES.Unavailable },
};
