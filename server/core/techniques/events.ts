import type { Exchange } from '../exchange.js';
import type { Topic } from '../log/topic.js';
import { consume } from './consume.js';
import { start } from './cursor.js';
import { streamHead } from './event-stream.js';
import { stream } from './stream.js';

/** The media types in which events are served. */
export const EVENT_TYPES = ['text/event-stream', 'application/json'] as const;

/** `GET /jobs/{id}/events`: one job's events, from the first one on. */
export const jobEvents = (x: Exchange): void | Promise<void> => read(x, x.job().events, 0);

/** `GET /events`: the events of all jobs, from now on. */
export const allEvents = (x: Exchange): void | Promise<void> => read(x, x.context.log.all, x.context.log.all.head);

/** The same events in two ways: as a stream, or as JSON a batch at a time. */
function read(x: Exchange, topic: Topic, from: number): void | Promise<void> {
  const type = x.accepts(...EVENT_TYPES);
  if (type === 'application/json') return consume(x, topic, start(x, from, false));
  const begin = start(x, from, true);
  // "Clients will reconnect if the connection is closed; a client can be told to stop reconnecting using the HTTP 204
  // No Content response code." (WHATWG HTML, section 9.2.1)
  if (begin.resumed && topic.ended && begin.after >= topic.head) return x.empty(204);
  if (x.req.method === 'HEAD') return streamHead(x);
  stream(x, topic, begin);
}
