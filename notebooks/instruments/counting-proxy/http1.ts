import { type Technique, techniqueOf } from '../technique.js';
import { Line } from './lines.js';
import { type Connection, type Conversation, type Exchange, type Framing, Unframed } from './record.js';

/** A head's line, and all lines of a head: what Node's own server takes at most (`--max-http-header-size`), and some more. In bytes. */
const MAX_HEAD = 64 * 1024;
/** How much of a request's body is kept for the function that names its technique, in bytes. */
const MAX_BODY = 4 * 1024;

/** A request, for telling its technique. */
export interface HttpRequest {
  method: string;
  url: URL;
  headers: Headers;
  /** The first 4 KiB of the body. */
  body: string;
}

/**
 * HTTP/1.1 (RFC 9112). A row's `bytesIn` and `bytesOut` are those on the connection, heads and framing included; `events` are those of
 * an event stream (a blank line after data), and `answeredAt` is when the head of the answer was complete.
 *
 * @param technique tells the technique of a request, once it is complete. Default: the course's own rule.
 */
export const http = (
  technique: (request: HttpRequest) => Technique = ({ method, url, headers }) => techniqueOf(method, url, headers),
): Framing => ({ protocol: 'HTTP/1.1', open: (connection) => new HttpConversation(connection, technique) });

class HttpConversation implements Conversation {
  private readonly methods = new Map<Exchange, string>();
  private readonly requests: Messages;
  private readonly responses: Messages;
  private asking: { exchange: Exchange; request: HttpRequest } | undefined;
  private answering: Exchange | undefined;
  private events: EventCounter | undefined;
  /** After `101 Switching Protocols` or a tunnel, the bytes are of another protocol. */
  private isOther = false;

  constructor(
    private readonly connection: Connection,
    technique: (request: HttpRequest) => Technique,
  ) {
    this.requests = new Messages({
      head: (line, headers) => this.asked(line, headers),
      begin: () => {},
      bytes: (count) => {
        if (this.asking) this.asking.exchange.row.bytesIn += count;
      },
      body: (bytes) => {
        const request = this.asking?.request;
        if (request && request.body.length < MAX_BODY)
          request.body += bytes.toString('latin1', 0, MAX_BODY - request.body.length);
      },
      end: () => {
        const { asking } = this;
        this.asking = undefined;
        if (asking) asking.exchange.row.technique = technique(asking.request);
      },
    });
    this.responses = new Messages({
      begin: () => {
        this.answering = connection.oldest();
        if (!this.answering) throw new Unframed('an answer that no request has');
      },
      head: (line, headers) => this.answered(line, headers),
      bytes: (count) => {
        if (this.answering) this.answering.row.bytesOut += count;
      },
      body: (bytes) => {
        if (this.answering && this.events) this.answering.row.events += this.events.count(bytes);
      },
      end: () => this.endAnswer(),
    });
  }

  request(bytes: Buffer): void {
    if (!this.isOther) this.requests.read(bytes);
    else if (this.answering) this.answering.row.bytesIn += bytes.length;
  }

  response(bytes: Buffer): void {
    if (!this.isOther) this.responses.read(bytes);
    else if (this.answering) this.answering.row.bytesOut += bytes.length;
  }

  responseEnd(): void {
    if (this.responses.endsWithConnection) this.endAnswer();
  }

  private asked(line: string, headers: Headers): BodyLength {
    // RFC 9112, section 3: method, target, version.
    const [, method, target] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}) (\S{1,8000}) HTTP\/1\.[01]$/.exec(line) ?? [];
    if (!method || !target) throw new Unframed('a line that begins no request');
    const url = urlOf(target);
    const asked = { method, route: url.pathname, technique: 'other' as const };
    const exchange = this.connection.ask({ ...asked, experiment: headers.get('experiment') });
    this.methods.set(exchange, method);
    this.asking = { exchange, request: { method, url, headers, body: '' } };
    return lengthOf(headers) ?? 0; // section 6.3, 7: a request without a length has no body
  }

  private answered(line: string, headers: Headers): BodyLength {
    const [, code] = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line) ?? [];
    const exchange = this.answering;
    if (!code || !exchange) throw new Unframed('a line that begins no answer');
    const status = Number(code);
    const method = this.methods.get(exchange);
    if (status < 200 && status !== 101) return 'interim'; // RFC 9110, section 15.2: the final answer is still to come
    exchange.answer(status);
    this.methods.delete(exchange);
    this.events = /^text\/event-stream\b/i.test(headers.get('content-type') ?? '') ? new EventCounter() : undefined;
    if (status === 101 || (method === 'CONNECT' && status < 300)) {
      this.isOther = true;
      return 'until the end';
    }
    // RFC 9112, section 6.3: these have no body, whatever their headers say.
    if (method === 'HEAD' || status === 204 || status === 304) return 0;
    return lengthOf(headers) ?? 'until the end';
  }

  private endAnswer(): void {
    const exchange = this.answering;
    this.answering = undefined;
    if (exchange) this.connection.done(exchange);
  }
}

/** In bytes, or by what ends it. After an `interim` answer the final one follows. */
type BodyLength = number | 'chunked' | 'until the end' | 'interim';

/** RFC 9112, section 6.3. `Transfer-Encoding` wins; two lengths that differ are an error. */
function lengthOf(headers: Headers): BodyLength | undefined {
  const coding = headers.get('transfer-encoding');
  if (coding !== null) {
    if (/(^|,)\s*chunked\s*$/i.test(coding)) return 'chunked';
    return 'until the end';
  }
  const length = headers.get('content-length');
  if (length === null) return undefined;
  const lengths = new Set(length.split(',').map((each) => each.trim()));
  const [only = ''] = lengths;
  if (lengths.size !== 1 || !/^\d{1,15}$/.test(only)) throw new Unframed('an unreadable Content-Length');
  return Number(only);
}

/** A target may be a path, a whole URL (to a proxy), `*`, or a host and port (CONNECT): RFC 9112, section 3.2. */
function urlOf(target: string): URL {
  try {
    return new URL(target, 'http://any');
  } catch {
    return new URL('http://any/');
  }
}

interface MessageReader {
  begin(): void;
  /** The head is complete. Says how long the body is. */
  head(line: string, headers: Headers): BodyLength;
  bytes(count: number): void;
  body(bytes: Buffer): void;
  end(): void;
}

type State = 'start line' | 'header' | 'body' | 'chunk size' | 'chunk' | 'chunk end' | 'trailer' | 'until the end';

/** Divides a stream into messages. It keeps a head, and nothing of a body. */
class Messages {
  private readonly line = new Line(MAX_HEAD);
  private state: State = 'start line';
  private startLine = '';
  private headers = new Headers();
  private headBytes = 0;
  /** How many bytes the body or the chunk still has. */
  private left = 0;
  private hasBegun = false;

  constructor(private readonly reader: MessageReader) {}

  /** Whether the message that is being read has no end but that of the connection. */
  get endsWithConnection(): boolean {
    return this.state === 'until the end';
  }

  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const inBody = this.state === 'body' || this.state === 'chunk' || this.state === 'until the end';
      at += inBody ? this.readBody(bytes, at) : this.readLine(bytes, at);
    }
  }

  private readBody(bytes: Buffer, at: number): number {
    const isBounded = this.state !== 'until the end';
    const count = isBounded ? Math.min(this.left, bytes.length - at) : bytes.length - at;
    this.reader.bytes(count);
    this.reader.body(bytes.subarray(at, at + count));
    this.left -= count;
    if (isBounded && this.left === 0) {
      if (this.state === 'chunk') this.state = 'chunk end';
      else this.end();
    }
    return count;
  }

  private readLine(bytes: Buffer, at: number): number {
    if (!this.hasBegun) {
      // RFC 9112, section 2.2: an empty line before a message is no part of it. Its two bytes may come in two pieces.
      if (bytes[at] === 0x0d || bytes[at] === 0x0a) return 1;
      this.hasBegun = true;
      this.reader.begin();
    }
    const { text, taken } = this.line.take(bytes, at);
    this.headBytes += taken;
    if (this.headBytes > MAX_HEAD && (this.state === 'header' || this.state === 'trailer'))
      throw new Unframed(`a head of more than ${MAX_HEAD} bytes`);
    if (text === undefined) this.uncounted += taken;
    else this.whole(text, taken);
    return taken;
  }

  /** Bytes of lines that are not whole, and of a request's head, for which there is no row before it is whole. */
  private uncounted = 0;

  private whole(text: string, taken: number): void {
    this.uncounted += taken;
    switch (this.state) {
      case 'start line':
        this.startLine = text;
        this.state = 'header';
        return;
      case 'header':
        if (text === '') this.headIsWhole();
        else this.header(text);
        return;
      case 'chunk size': {
        // RFC 9112, section 7.1: in hexadecimal, and extensions may follow.
        const [, size] = /^([0-9a-fA-F]{1,13})\s*(;.*)?$/.exec(text) ?? [];
        if (size === undefined) throw new Unframed('an unreadable chunk size');
        this.count();
        this.left = Number.parseInt(size, 16);
        this.headBytes = 0;
        this.state = this.left === 0 ? 'trailer' : 'chunk';
        return;
      }
      case 'chunk end':
        if (text !== '') throw new Unframed('a chunk that is longer than it said');
        this.count();
        this.state = 'chunk size';
        return;
      default: // a trailer
        this.count();
        if (text === '') this.end();
    }
  }

  private header(text: string): void {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(text) ?? [];
    if (!name || value === undefined) throw new Unframed('an unreadable header');
    try {
      this.headers.append(name, value);
    } catch {
      throw new Unframed('an unreadable header');
    }
  }

  private headIsWhole(): void {
    const length = this.reader.head(this.startLine, this.headers);
    this.count();
    this.headers = new Headers();
    this.headBytes = 0;
    if (length === 'interim') this.state = 'start line';
    else if (length === 0) this.end();
    else if (length === 'chunked') this.state = 'chunk size';
    else {
      this.state = length === 'until the end' ? length : 'body';
      this.left = length === 'until the end' ? 0 : length;
    }
  }

  private count(): void {
    this.reader.bytes(this.uncounted);
    this.uncounted = 0;
  }

  private end(): void {
    this.state = 'start line';
    this.hasBegun = false;
    this.headBytes = 0;
    this.reader.end();
  }
}

/** Counts the events of a stream: a blank line after at least one line of data (HTML standard, section 9.2.6). */
class EventCounter {
  /** Of the line that is being read: whether it is empty so far, and its first bytes. */
  private start = '';
  private hasData = false;
  private afterCR = false;

  count(bytes: Buffer): number {
    let events = 0;
    for (const byte of bytes) {
      const isFeed = byte === 0x0a;
      if (isFeed && this.afterCR) {
        this.afterCR = false; // CRLF is one line end
        continue;
      }
      this.afterCR = byte === 0x0d;
      if (!isFeed && !this.afterCR) {
        if (this.start.length < 5) this.start += String.fromCharCode(byte);
        continue;
      }
      if (this.start === '') {
        if (this.hasData) events += 1;
        this.hasData = false;
      } else if (this.start === 'data:' || this.start === 'data') this.hasData = true;
      this.start = '';
    }
    return events;
  }
}
