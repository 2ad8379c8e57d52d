import type { Exchange } from '../exchange.js';
import { frame, type Ids } from '../log/event.js';
import type { Topic } from '../log/topic.js';
import { gapData, type Start } from './cursor.js';
import { EventStream } from './event-stream.js';

/** How much is written to one reader at a time: a reader that is far behind comes again for the rest. */
const PIECE = { events: 256, bytes: 64 * 1024 };
/** What a short log takes in memory at most, in bytes. */
const SHORT_BYTES = 8 * 1024;
/** How many pieces are kept, framed, for the readers that will ask for the same one. */
const MAX_PIECES = 32;

/** **Server-sent events**: a response with a start and no end, and in it an event for whatever happens. */
export function stream(x: Exchange, topic: Topic, { after, resumed }: Start): void {
  const { delivery, ids } = x.context.log;
  // Methods, since tsx gives every closure with a name a dictionary of its own, which takes memory for each stream.
  const cursor = {
    topic,
    after,
    min: 1,
    seen: 0,
    /** The event `gap` where events are missing; also for a reader so slow that the log has dropped its next events. */
    gap(): string {
      if (!topic.gap(cursor.after)) return '';
      cursor.after = topic.trimmed;
      return `event: gap\ndata: ${gapData(x, topic)}\n\n`;
    },
    serve(): boolean {
      if (out.full) return false; // its cursor is kept, and nothing else
      const said = cursor.gap();
      const piece = pieceOf(topic, cursor.after, ids);
      cursor.after = piece.last;
      x.countEvents(piece.events);
      return out.write(said ? said + piece.bytes : piece.bytes);
    },
  };
  const out = new EventStream(
    x,
    () => delivery.join(cursor),
    () => delivery.leave(cursor),
  );
  // Before the first event, a reader of all jobs has no id to come back with: it is given one.
  const position = `id: ${ids.of(after)}\nevent: position\ndata: {}\n\n`;
  out.write(!resumed && topic === x.context.log.all ? position : cursor.gap());
  // The client may have left while the store was asked whether this log is up to date.
  if (x.lifetime.ended) return;
  // What there is of a short log goes out with the head, in one system call; a longer log is read in turns.
  if (topic.head <= cursor.after || topic.bytes > SHORT_BYTES || cursor.serve()) delivery.join(cursor);
}

interface Piece {
  after: number;
  head: number;
  bytes: Buffer;
  last: number;
  events: number;
}

/** The events past a cursor, framed. Most readers of a topic have the same cursor: for all of them it is framed once. */
function pieceOf(topic: Topic, after: number, ids: Ids): Piece {
  const made = pieces.get(topic);
  if (made?.after === after && made.head === topic.head) return made;
  const events = topic.read(after, PIECE.events, PIECE.bytes);
  const bytes = Buffer.from(frame(events, ids));
  const piece = { after, head: topic.head, bytes, last: events.at(-1)?.seq ?? after, events: events.length };
  pieces.delete(topic);
  if (pieces.size >= MAX_PIECES) pieces.delete(pieces.keys().next().value as Topic);
  pieces.set(topic, piece);
  return piece;
}
const pieces = new Map<Topic, Piece>();
