import { streamHead } from '../http/event-stream.js';
import type { Exchange } from '../http/exchange.js';
import { badRequest } from '../http/problem.js';
import { NOWHERE } from '../log/event.js';
import type { Topic } from '../log/topic.js';
import { consume } from './consume.js';
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
  x.app.log.flush();
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
