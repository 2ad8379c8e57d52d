import type { IncomingMessage, ServerResponse } from 'node:http';
import Negotiator from 'negotiator';
import type { Exchange, Wait } from '../../core/exchange.js';
import type { Job } from '../../core/jobs/job.js';
import type { JobRecord } from '../../core/log/log.js';
import type { Topic } from '../../core/log/topic.js';
import { AS_IT_IS, badRequest, Problem } from '../../core/problem.js';
import type { Technique } from '../../techniques.js';
import type { Row } from '../ledger.js';
import type { ServerContext } from '../server-context.js';
import { closeSoon } from './closing.js';
import type { Expectation } from './http1.js';
import { headBytes, streamOf } from './http2.js';
import type { Lifetime } from './lifetime.js';
import { writeSharedHead } from './shared-heads.js';
import { readWait } from './wait.js';

type Headers = Record<string, string | number>;

/** One request and its response, over HTTP/1.1 or HTTP/2, as routes use them. */
export class HttpExchange implements Exchange {
  readonly path: string;
  readonly query: URLSearchParams;
  /** The job's id in the path; empty where there is none. */
  jobId = '';
  /** Whether `Prefer` may change the answer. */
  private varies = false;
  /** Whether the query had the access token: no cache that several people share may keep the answer (RFC 6750, section 2.3). */
  isPrivate = false;

  constructor(
    readonly context: ServerContext,
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
    readonly lifetime: Lifetime,
    readonly row: Row,
    readonly expects: Expectation,
  ) {
    const target = req.url as string;
    const url = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?#]*/i, '');
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark));
  }

  /** Counts the request under the experiment that its client names, unless it asks for the ledger. Error: 400. */
  nameExperiment(): void {
    const { experiment, origin, 'sec-fetch-site': from } = this.req.headers;
    const name = this.query.get('experiment') ?? (experiment as string | undefined);
    // A page of another site may link to this server. It must not use up the names that the ledger has room for.
    if (!name || (from === 'cross-site' && origin === undefined)) return;
    if ([...name].length > 100)
      throw badRequest(`An experiment's name has at most 100 characters, got ${[...name].length}.`);
    if (this.row.id > 0) this.context.ledger.name(this.row, name);
  }

  wait(): Wait | null {
    this.varies = true;
    const wait = readWait(this.query, this.req.headers.prefer);
    return this.req.method === 'HEAD' ? null : wait;
  }

  job(): JobRecord {
    return this.context.jobs.find(this.jobId);
  }

  setTechnique(technique: Technique): void {
    this.row.technique = technique;
  }

  countEvents(events: number): void {
    this.row.events += events;
    this.context.ledger.touch(this.row);
  }

  number(name: string, min: number, max: number): number | null {
    const asked = this.query.get(name);
    if (asked === null) return null;
    const number = /^\d{1,15}$/.test(asked) ? Number(asked) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw badRequest(`${name} expects a whole number from ${min} to ${max}, got "${asked}".`);
  }

  hasVersion(version: number): boolean {
    const known = this.req.headers['if-none-match'];
    if (known === undefined) return false;
    const tag = `"${version}"`;
    const same = (part: string) => part === '*' || part.replace(/^W\//, '') === tag;
    return known === tag || known.split(',').some((part) => same(part.trim()));
  }

  accepts<T extends string>(...offered: T[]): T {
    const { accept } = this.req.headers;
    const [first] = offered as [T];
    if (accept === undefined || accept === '*/*' || accept === first) return first;
    const chosen = new Negotiator(this.req).mediaType(offered) as T | undefined;
    if (chosen) return chosen;
    throw new Problem(406, `Served as ${offered.join(' or ')}, asked for as "${accept}". Change Accept.`);
  }

  /** `fields` are names and values in turn, which Node writes faster than an object. */
  private head(status: number, fields: (string | number)[], headers: Headers = {}): void {
    this.recordAnswer(status);
    this.lifetime.acted();
    // RFC 9112, section 9.6: "close" says that this is the connection's last answer. Kept alive, it would hold up the end.
    if (this.context.stopping) this.res.shouldKeepAlive = false;
    // no-store: a browser holds back a second request for a URL until it knows that it may not store the answer to the
    // first. The header comes with the answer, so that this helps streams; a held request needs `cache: 'no-store'`.
    const { 'Cache-Control': cached = 'no-store' } = headers;
    fields.push('Cache-Control', this.isPrivate ? `private, ${cached}` : cached);
    for (const name in headers) if (name !== 'Cache-Control') fields.push(name, headers[name] as string | number);
    // RFC 7240, section 2: an answer that a preference may change names `Prefer` in Vary, beside what CORS names there.
    if (this.varies) fields.push('Vary', this.req.headers.origin === undefined ? 'Prefer' : 'Origin, Prefer');
    const { req, res } = this;
    const shares = req.httpVersion === '1.1' && this.expects === null && req.headers.origin === undefined;
    if (shares && req.method !== 'HEAD') writeSharedHead(res, status, fields);
    else res.writeHead(status, fields);
  }

  /** Tells the ledger that the head of the answer is out. A route whose head other code writes calls it, too. */
  recordAnswer(status: number): void {
    this.row.status = status;
    this.row.answeredAt = this.row.now();
    this.context.ledger.touch(this.row);
  }

  /** Sends a whole answer. */
  send(status: number, type: string, body: string, headers?: Headers): void {
    const length = Buffer.byteLength(body);
    this.head(status, ['Content-Type', type, 'Content-Length', length, ...AS_IT_IS_FIELDS], headers);
    // A text whose characters take a byte each is ASCII: its bytes are the same in Latin-1, which Node copies and need not encode.
    this.end(this.req.method === 'HEAD' ? '' : body, length === body.length ? 'latin1' : 'utf8');
  }

  /** Whether the client has a body to send, or sends it still. */
  private get sends(): boolean {
    const { headers, complete } = this.req;
    if (complete) return false;
    const stream = this.lifetime.connection.session && streamOf(this.req);
    return stream ? !stream.endAfterHeaders : 'content-length' in headers || 'transfer-encoding' in headers;
  }

  private get overhead(): number {
    return this.lifetime.connection.session ? STREAM_BYTES + headBytes(this.req) : HEAD_BYTES;
  }

  /**
   * Reads and drops the body of a request that needs none. Unread, it would fill the connection's buffers, and behind it
   * Node would not see the client leave.
   */
  dropBody(): void {
    if (this.sends) this.req.resume();
  }

  /** Ends the answer, also to a client that is still sending: the rest of its body is read and dropped, for a time. */
  private end(body: string, encoding: BufferEncoding = 'utf8'): void {
    const { req, res, lifetime } = this;
    if (!this.sends)
      return void (body.length > 0 && body.length <= WHOLE_BYTES ? this.sendAtOnce(body, encoding) : this.finish(body));
    const stream = streamOf(req);
    const late = (action: () => void) => {
      const timer = setTimeout(action, this.context.settings.graceMs);
      lifetime.onEnd(() => clearTimeout(timer));
    };
    // RFC 9112, section 9.6: a connection is closed in stages, or a reset takes the answer from a client still sending.
    // A stream of HTTP/2 may end as it likes, and ask for the rest not to be sent (RFC 9113, section 8.1).
    if (stream) {
      late(() => stream.close());
      this.finish(body);
    } else {
      const over = new Promise<void>((resolve) => {
        late(() => {
          res.once('finish', () => closeSoon(req.socket));
          resolve();
        });
        req.once('end', resolve).once('close', resolve);
      });
      this.finish(body, (rest) => {
        if (rest.length > 0) res.write(rest);
        else res.flushHeaders();
        void over.then(() => res.end());
      });
    }
    req.resume();
  }

  /**
   * Sends a short answer in one piece. `end(body)` hands an empty piece to the socket behind it, and two pieces take a
   * slower system call (writev) than one: here the answer is on its way when the end is told, and nothing is left to send.
   */
  private sendAtOnce(body: string, encoding: BufferEncoding): void {
    const { res, lifetime } = this;
    lifetime.addUnsent(this.overhead + body.length);
    if (lifetime.connection.session) return void res.end(body, encoding);
    const { socket } = res;
    socket?.cork(); // or Node would do so, and plan a tick to undo it
    res.write(body, encoding);
    socket?.uncork();
    res.end();
  }

  /**
   * Hands the answer to Node a piece at a time. Each piece is memory of its own, which is let go as soon as the client has
   * taken it: what is counted as unsent is what is held. `last` takes the last piece, and ends the answer.
   */
  private finish(body: string, last: (rest: string | Buffer) => unknown = (rest) => this.res.end(rest)): void {
    const { res, lifetime } = this;
    if (body.length <= PIECE_BYTES) {
      lifetime.addUnsent(this.overhead + body.length);
      return void last(body);
    }
    const pieces = piecesOf(Buffer.from(body));
    lifetime.addUnsent(this.overhead + pieces.reduce((sum, piece) => sum + piece.length, 0));
    const next = () => {
      const piece = pieces.shift() as Buffer;
      if (pieces.length === 0) return void last(piece);
      const took = () => {
        lifetime.took(piece.length);
        next();
      };
      if (res.write(piece)) took();
      else res.once('drain', took);
    };
    next();
  }

  json(status: number, body: string, headers?: Headers): void {
    this.send(status, 'application/json', body, headers);
  }

  empty(status: number, headers?: Headers): void {
    this.head(status, [], headers);
    this.end('');
  }

  openStream(headers: Headers): void {
    // RFC 9112, section 6.3: a body may end with its connection. Such a body is sent as it is, without the framing of
    // chunks, so that one buffer serves all readers of a stream. A proxy gets chunks: some (Tornado's client did) keep
    // the other kind of body back until it has ended.
    if (!isForwarded(this.req)) this.res.useChunkedEncodingByDefault = false;
    this.head(200, [], headers);
  }

  problem(problem: Problem): void {
    this.send(problem.status, 'application/problem+json', JSON.stringify(problem), problem.headers);
  }

  hold(topic: Topic, after: number, min: number, seconds: number): Promise<void> {
    this.lifetime.acted();
    return new Promise((resolve) => this.context.waiting.hold(this.lifetime, topic, after, min, seconds, resolve));
  }

  holdForEnd(record: JobRecord, wait: Wait, answer: (x: Exchange, job: Job, headers: Wait['applied']) => void): void {
    this.lifetime.acted();
    this.context.waiting.holdForEnd(this.lifetime, record, wait.seconds, () =>
      this.context.answer(this, () => answer(this, record.job, wait.applied)),
    );
  }

  /** Waits until a large answer may be made. A client that leaves is forgotten: the promise is never kept. */
  turn(): Promise<void> {
    return this.lifetime.turn();
  }
}

/** What an answer takes besides its body, in bytes, when what is not sent is counted: its head; in HTTP/2 a stream and the request's head, too. */
const HEAD_BYTES = 512;
const STREAM_BYTES = 4096;
/** An answer of at most so many characters is sent in one piece. */
const WHOLE_BYTES = 8 * 1024;
/** How much of an answer is handed to Node at a time, in bytes. */
const PIECE_BYTES = 64 * 1024;
const NO_QUERY = new URLSearchParams();
const AS_IT_IS_FIELDS = Object.entries(AS_IT_IS).flat();

/** Whether a proxy forwards this request: a proxy says so as in RFC 9110, section 7.6.3, as in RFC 7239, or by custom. */
function isForwarded({ headers }: IncomingMessage): boolean {
  for (const name in headers) if (/^(via|forwarded|x-forwarded-.+)$/.test(name)) return true;
  return false;
}

/** Copies bytes into pieces that do not share memory. */
const piecesOf = (bytes: Buffer) =>
  Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, at) =>
    Buffer.from(bytes.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES)),
  );
