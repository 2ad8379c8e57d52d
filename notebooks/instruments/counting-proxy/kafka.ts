import type { Technique } from '../technique.js';
import { type Connection, type Exchange, type Framing, Unframed } from './record.js';

/**
 * The API keys that a consumer and a producer use. Source: the protocol guide of Apache Kafka, "API Keys"
 * (https://kafka.apache.org/protocol.html#protocol_api_keys).
 */
const API_KEYS: Record<number, string> = {
  ...{ 0: 'Produce', 1: 'Fetch', 2: 'ListOffsets', 3: 'Metadata', 8: 'OffsetCommit', 9: 'OffsetFetch' },
  ...{ 10: 'FindCoordinator', 11: 'JoinGroup', 12: 'Heartbeat', 13: 'LeaveGroup', 14: 'SyncGroup' },
  ...{ 15: 'DescribeGroups', 16: 'ListGroups', 17: 'SaslHandshake', 18: 'ApiVersions', 19: 'CreateTopics' },
  ...{ 20: 'DeleteTopics', 22: 'InitProducerId', 32: 'DescribeConfigs', 36: 'SaslAuthenticate', 42: 'DeleteGroups' },
};

const TECHNIQUES: Record<string, Technique> = { Fetch: 'consume', Produce: 'submit' };

/** `socket.request.max.bytes`, which a broker takes at most by default, in bytes. A longer frame is none. */
const MAX_FRAME = 100 * 1024 * 1024;
/** Of a request: its length, API key, API version and correlation id. Of a response: its length and correlation id. */
const [REQUEST_HEAD, RESPONSE_HEAD] = [12, 8];

/**
 * Kafka: a frame is a 4-byte length and as many bytes. A request begins with its API key and a correlation id, which its
 * response repeats. ("Common Request and Response Structure", in the protocol guide.) A row's `status` is 200 once the response
 * comes: where a response has an error code differs from API to API, and is not read. A `Produce` with `acks` 0 gets no response,
 * so its row stays open until the connection ends.
 */
export const kafka: Framing = {
  protocol: 'Kafka',
  open(connection) {
    const waiting = new Map<number, Exchange>();
    let asking: Exchange | undefined;
    let answering: Exchange | undefined;
    const requests = new Frames(REQUEST_HEAD, {
      begin(head) {
        asking = connection.ask(askedBy(head.readInt16BE(4)));
        waiting.set(head.readInt32BE(8), asking);
      },
      bytes(count) {
        if (asking) asking.row.bytesIn += count;
      },
      end() {},
    });
    const responses = new Frames(RESPONSE_HEAD, {
      begin(head) {
        const id = head.readInt32BE(4);
        answering = waiting.get(id);
        waiting.delete(id);
        if (!answering) throw new Unframed(`a response to correlation id ${id}, which no request has`);
        answering.answer(200);
      },
      bytes(count) {
        if (answering) answering.row.bytesOut += count;
      },
      end: () => answer(connection, answering),
    });
    return { request: (bytes) => requests.read(bytes), response: (bytes) => responses.read(bytes) };
  },
};

function answer(connection: Connection, exchange: Exchange | undefined): void {
  if (exchange) connection.done(exchange);
}

function askedBy(key: number) {
  const name = API_KEYS[key] ?? `API ${key}`;
  return { method: name, route: name, technique: TECHNIQUES[name] ?? ('other' as const) };
}

interface Reader {
  /** A frame's first bytes are here. */
  begin(head: Buffer): void;
  /** So many more bytes of the frame are here, those of its head among them. */
  bytes(count: number): void;
  end(): void;
}

/** Divides a stream into frames. It keeps a frame's first bytes, and of the others only their number. */
class Frames {
  private readonly head: Buffer;
  private filled = 0;
  private left = 0;

  constructor(
    private readonly headBytes: number,
    private readonly reader: Reader,
  ) {
    this.head = Buffer.alloc(headBytes);
  }

  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.left > 0) {
        const count = Math.min(this.left, bytes.length - at);
        at += count;
        this.left -= count;
        this.reader.bytes(count);
      } else {
        const copied = bytes.copy(this.head, this.filled, at, at + this.headBytes - this.filled);
        at += copied;
        this.filled += copied;
        if (this.filled < this.headBytes) return;
        this.filled = 0;
        const length = this.head.readInt32BE(0);
        if (length < this.headBytes - 4 || length > MAX_FRAME) throw new Unframed(`a frame of ${length} bytes`);
        this.left = length + 4 - this.headBytes;
        this.reader.begin(this.head);
        this.reader.bytes(this.headBytes);
      }
      if (this.left === 0) this.reader.end();
    }
  }
}
