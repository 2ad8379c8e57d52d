import { EventStream } from '../http/event-stream.js';
import type { Exchange } from '../http/exchange.js';
import { frame, type Ids } from '../log/event.js';
import type { Topic } from '../log/topic.js';
import { gapData, isGap, type Start } from './events.js';

/** How much is written to one reader at a time, in events: a reader that is far behind comes again for the rest. */
const PIECE = 256;

/** **Server-sent events**: a response with a start and no end, and in it an event for whatever happens. */
export function stream(x: Exchange, topic: Topic, { after, resumed }: Start): void {
  const { delivery, ids } = x.app.log;
  // Methods, not closures with names: tsx gives each of those a dictionary of its own.
  const cursor = {
    topic,
    after,
    min: 1,
    seen: 0,
    /** A gap is said, not hidden: also to a reader so slow that what it lacks has gone meanwhile. */
    gap(): string {
      if (!isGap(topic, cursor.after)) return '';
      cursor.after = topic.trimmed;
      return `event: gap\ndata: ${gapData(x, topic)}\n\n`;
    },
    serve(): boolean {
      if (out.full) return false; // its place is kept, and nothing else
      const said = cursor.gap();
      const piece = pieceOf(topic, cursor.after, ids);
      cursor.after = piece.last;
      x.row.events += piece.events;
      x.app.ledger.touch(x.row);
      return out.write(said ? said + piece.bytes : piece.bytes);
    },
    release(): void {
      out.end();
    },
  };
  const out = new EventStream(
    x,
    () => delivery.join(cursor),
    () => delivery.leave(cursor),
  );
  // Before the first event, a reader of all jobs has no place to come back to: it is given one.
  const position = `id: ${ids.of(after)}\nevent: position\ndata: {}\n\n`;
  out.write(!resumed && topic === x.app.log.all ? position : cursor.gap());
  delivery.join(cursor);
}

interface Piece {
  after: number;
  head: number;
  bytes: Buffer;
  last: number;
  events: number;
}

/** What lies past a place, framed. Most readers of a topic stand at the same place: it is framed once for all of them. */
function pieceOf(topic: Topic, after: number, ids: Ids): Piece {
  const made = pieces.get(topic);
  if (made?.after === after && made.head === topic.head) return made;
  const events = topic.read(after, PIECE);
  const bytes = Buffer.from(frame(events, ids));
  const piece = { after, head: topic.head, bytes, last: events.at(-1)?.seq ?? after, events: events.length };
  pieces.set(topic, piece);
  return piece;
}
const pieces = new WeakMap<Topic, Piece>();
