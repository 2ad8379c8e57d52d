import type { Exchange } from '../exchange.js';
import { NOWHERE } from '../log/event.js';
import type { Topic } from '../log/topic.js';
import { badRequest } from '../problem.js';

/** Where a reader of events begins. */
export interface Start {
  after: number;
  /** Whether the client named the position: it goes on from there. */
  resumed: boolean;
}

/** Reads the cursor. An EventSource keeps its URL when it reconnects, so that its `Last-Event-ID` wins. Error: 400. */
export function start(x: Exchange, from: number, header: boolean): Start {
  const last = header ? (x.req.headers['last-event-id'] as string | undefined) : undefined;
  const id = last || x.query.get('after');
  if (id === null) return { after: from, resumed: false };
  const { all, ids } = x.context.log;
  const position = ids.read(id);
  if (position === null && !last)
    throw badRequest(`after expects the id of an event, got "${id}". Leave it out to begin anew.`);
  // A position past the newest event was never given to a client.
  const given = position !== null && position <= all.head;
  return { after: given ? position : NOWHERE, resumed: true };
}

/** The data of a `gap`: the oldest event that is held, which comes next. */
export function gapData(x: Exchange, topic: Topic): string {
  const { oldest } = topic;
  return JSON.stringify({ oldest: oldest ? x.context.log.ids.of(oldest.seq) : null });
}
