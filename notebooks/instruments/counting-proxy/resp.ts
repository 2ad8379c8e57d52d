import type { Technique } from '../technique.js';
import { Line } from './lines.js';
import { type Asked, type Connection, type Conversation, type Exchange, type Framing, Unframed } from './record.js';

/** A line holds a type and a number, or a short text; an error may be longer. In bytes. */
const MAX_LINE = 64 * 1024;
/** How many elements a command or a reply may announce, and how long a string may be (Redis: 512 MB). */
const [MAX_ELEMENTS, MAX_STRING] = [1024 * 1024, 512 * 1024 * 1024];
/** So much of a command is looked at to say what it is: the first words, and of each the first bytes. */
const [WORDS, WORD_BYTES] = [16, 64];

/** Commands that wait for an element, and take it from its list or set. */
const POPS = /^(BLPOP|BRPOP|BLMOVE|BRPOPLPUSH|BLMPOP|BZPOPMIN|BZPOPMAX|BZMPOP)$/;
/** After one of these a connection gets messages that are no replies. */
const SUBSCRIBES = /^(SUBSCRIBE|PSUBSCRIBE|SSUBSCRIBE|MONITOR)$/;

/**
 * RESP, the protocol of Redis and Valkey (https://redis.io/docs/latest/develop/reference/protocol-spec/), versions 2 and 3.
 * Commands are counted by their name, and replies belong to them in their order. In a row, `status` is 200 for a reply and
 * 500 for an error reply; `events` is 0 where the reply is null, as that of a read is whose wait ran out, and 1 otherwise. A
 * subscription stays open, and each message counts as an event of it.
 */
export const resp: Framing = { protocol: 'RESP', open: (connection) => new RespConversation(connection) };

class RespConversation implements Conversation {
  private asking: Exchange | undefined;
  private words: string[] = [];
  private subscription: Exchange | undefined;
  private readonly commands: Values;
  private readonly replies: Values;

  constructor(private readonly connection: Connection) {
    this.commands = new Values(true, {
      begin: () => {
        this.words = [];
        this.asking = connection.ask({ method: '?', route: '?', technique: 'other' });
      },
      bytes: (count) => {
        if (this.asking) this.asking.row.bytesIn += count;
      },
      word: (text) => void (this.words.length < WORDS && this.words.push(text)),
      end: () => this.asked(),
    });
    this.replies = new Values(false, {
      begin: (type) => this.answering(type)?.answer(type === '-' || type === '!' ? 500 : 200),
      bytes: (count, type) => {
        const exchange = this.answering(type);
        if (exchange) exchange.row.bytesOut += count;
      },
      word: () => {},
      end: (type, isNull) => this.answered(type, isNull),
    });
  }

  request(bytes: Buffer): void {
    this.commands.read(bytes);
  }

  response(bytes: Buffer): void {
    this.replies.read(bytes);
  }

  private asked(): void {
    const exchange = this.asking;
    if (!exchange) return;
    Object.assign(exchange.row, whatIs(this.words));
    if (SUBSCRIBES.test(exchange.row.method)) this.subscription ??= exchange;
  }

  /** The command that a value answers. A push (`>`) answers none; on a subscribed connection it is a message. */
  private answering(type: string): Exchange | undefined {
    return this.subscription ?? (type === '>' ? undefined : this.connection.oldest());
  }

  private answered(type: string, isNull: boolean): void {
    const exchange = this.answering(type);
    if (!exchange) return;
    if (!isNull) exchange.row.events += 1;
    if (exchange !== this.subscription) this.connection.done(exchange);
  }
}

function whatIs(words: string[]): Pick<Asked, 'method' | 'route' | 'technique'> {
  const method = (words[0] ?? '').toUpperCase().replace(/[^ -~]/g, '?') || '?';
  const blocks = words.some((word) => word.toUpperCase() === 'BLOCK');
  return { method, route: method, technique: techniqueOf(method, blocks) };
}

function techniqueOf(method: string, blocks: boolean): Technique {
  if (POPS.test(method)) return 'long-poll';
  if (method === 'XREAD' || method === 'XREADGROUP') return blocks ? 'consume' : 'short-poll';
  if (SUBSCRIBES.test(method)) return 'event-stream';
  if (/^(LPOP|RPOP|LMPOP|ZPOPMIN|ZPOPMAX)$/.test(method)) return 'short-poll';
  if (/^(XADD|LPUSH|RPUSH|ZADD|PUBLISH)$/.test(method)) return 'submit';
  return 'other';
}

/** How many elements are to come after those of an aggregate's line: itself is one, and is over. Types: RESP3 has all of them. */
const AGGREGATES: Record<string, (count: number) => number> = {
  '*': (count) => count - 1, // an array
  '~': (count) => count - 1, // a set
  '>': (count) => count - 1, // a push
  '%': (count) => 2 * count - 1, // a map
  '|': (count) => 2 * count, // attributes, which come before the value that they belong to
};
/** A string, a long error, a string with its format: their line says how many bytes follow. */
const STRINGS = /^[$!=]$/;
/** A short text, an error, a whole number, null, a number, a truth value, a large number: their line is all of them. */
const SIMPLE = /^[+\-:_,#(]$/;

interface ValueReader {
  /** A value begins; `type` is its first byte. */
  begin(type: string): void;
  bytes(count: number, type: string): void;
  /** A string in the value, or its first bytes. */
  word(text: string): void;
  end(type: string, isNull: boolean): void;
}

/** Divides a stream into values. It keeps a line, and the first bytes of a string; of the others only their number. */
class Values {
  private readonly line = new Line(MAX_LINE);
  private type = '';
  private isNull = false;
  /** Whether nothing of the value has been read. */
  private isFirst = false;
  /** How many elements are still to come until the value is whole; 0 between two values. */
  private elements = 0;
  /** How many bytes of a string are still to come, with the line end after it; 0 where a line comes next. */
  private string = 0;
  private word = '';

  constructor(
    /** Whether a line without a type may come: a command as one types it, its words parted by spaces. */
    private readonly inline: boolean,
    private readonly reader: ValueReader,
  ) {}

  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.elements === 0) this.begin(String.fromCharCode(bytes[at] as number));
      const count = this.string > 0 ? this.readString(bytes, at) : this.readLine(bytes, at);
      at += count;
      // After attributes, the value that they belong to is still to come.
      if (this.elements === 0 && this.type !== '|') this.reader.end(this.type, this.isNull);
    }
  }

  private begin(type: string): void {
    this.type = type;
    this.isNull = false;
    this.isFirst = true;
    this.elements = 1;
    this.reader.begin(type);
  }

  private readString(bytes: Buffer, at: number): number {
    const count = Math.min(this.string, bytes.length - at);
    const room = Math.min(WORD_BYTES - this.word.length, Math.max(0, Math.min(count, this.string - 2)));
    this.word += bytes.toString('latin1', at, at + room);
    this.string -= count;
    this.reader.bytes(count, this.type);
    if (this.string === 0) {
      this.reader.word(this.word);
      this.elements -= 1;
    }
    return count;
  }

  private readLine(bytes: Buffer, at: number): number {
    const { text, taken } = this.line.take(bytes, at);
    this.reader.bytes(taken, this.type);
    if (text !== undefined) this.element(text);
    return taken;
  }

  /** One line: a simple value, or the number of bytes or of elements that follow. */
  private element(line: string): void {
    const [type, rest, isFirst] = [line[0] ?? '', line.slice(1), this.isFirst];
    this.isFirst = false;
    const adds = AGGREGATES[type];
    if (adds) {
      const count = lengthOf(rest, MAX_ELEMENTS);
      if (isFirst) this.isNull = count < 0;
      const isOfReply = isFirst && type === '|'; // the attributes belong to the whole reply, not to a value in it
      this.more(count < 0 ? -1 : adds(count) - (isOfReply ? 1 : 0));
    } else if (STRINGS.test(type)) {
      const length = lengthOf(rest, MAX_STRING);
      if (isFirst) this.isNull = length < 0;
      if (length < 0) this.more(-1);
      else this.string = length + 2; // the line end after it is not counted in its length
      this.word = '';
    } else if (SIMPLE.test(type)) {
      if (isFirst) this.isNull = type === '_';
      this.more(-1);
    } else if (this.inline && isFirst) {
      for (const word of line.split(' ')) this.reader.word(word.slice(0, WORD_BYTES));
      this.more(-1);
    } else throw new Unframed(`a value that begins with "${type}"`);
  }

  private more(count: number): void {
    this.elements += count;
    if (this.elements > MAX_ELEMENTS) throw new Unframed(`a value of more than ${MAX_ELEMENTS} elements`);
  }
}

/** -1 stands for null (RESP2). Error: {@link Unframed}. */
function lengthOf(text: string, most: number): number {
  const value = /^(-1|\d{1,10})$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new Unframed(`a length of "${text.slice(0, 20)}"`);
  return value;
}
