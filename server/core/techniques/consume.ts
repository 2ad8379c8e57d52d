import type { Exchange } from '../exchange.js';
import { eventsJson } from '../log/event.js';
import type { Topic } from '../log/topic.js';
import { gapData, type Start } from './cursor.js';

/** The most events of one answer. */
const MAX_EVENTS = 1000;
/** Once the data of an answer's events has so many bytes, the answer ends: `next` says where to go on. */
const MAX_BYTES = 256 * 1024;

/**
 * **Consume**, as Kafka's consumers do: holds the request until `min` events are there (`fetch.min.bytes`), or the time
 * is up (`fetch.max.wait.ms`). The client keeps its cursor, and sends it with each request: the server keeps none.
 */
export async function consume(x: Exchange, topic: Topic, start: Start): Promise<void> {
  const min = x.number('min', 0, MAX_EVENTS) ?? 1;
  const wait = x.wait();
  const { ids } = x.context.log;
  if (wait && !topic.gap(start.after)) await x.hold(topic, start.after, min, wait.seconds);
  const missed = topic.gap(start.after);
  const events = topic.read(start.after, MAX_EVENTS, MAX_BYTES);
  x.countEvents(events.length);
  const gap = missed ? `"gap":${gapData(x, topic)},` : '';
  const next = ids.of(events.at(-1)?.seq ?? (missed ? topic.head : start.after));
  x.json(200, `{${gap}"events":${eventsJson(events, ids)},"next":"${next}"}`, wait?.applied);
}
