import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AS_IT_IS, Problem } from '../../../server/core/problem.js';
import { closeSoon } from '../../../server/edge/http/closing.js';
import type { Lifetime } from '../../../server/edge/http/lifetime.js';
import type { Faults } from './faults.js';
import { answerFields, requestFields } from './fields.js';
import { faultOf, type Interim, interimText, pathOf } from './heads.js';
import { HeldAnswer, MAX_WAITING_BYTES } from './held-answer.js';
import type { Upstream } from './upstream.js';

/** The methods whose request may be sent again when a connection was closed under it (RFC 9110, section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** The methods of requests that usually have no content. Node sends an empty chunk with any other one that has no length. */
const WITHOUT_CONTENT = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);
/** How many interim answers wait while earlier answers of the connection are sent (pipelining). */
const MAX_INTERIM = 10;
/** Written, it sends the head. `flushHeaders` would encode the head in UTF-8, and change each byte beyond ASCII. */
const NO_BYTES = Buffer.alloc(0);

/** What is told of a passage while it lasts. */
export interface Observer {
  /** The service has sent the head of its answer. */
  head(answer: IncomingMessage): void;
  /** The service has sent a piece of the body. */
  piece(bytes: Buffer): void;
  /** The head is passed on to the client. */
  headPassed(status: number): void;
  /** A piece of the body is passed on to the client. */
  piecePassed(bytes: Buffer): void;
  /** Nothing more comes from the service. `broken`: the service ended its answer early. `left`: the client or the proxy did. */
  ended(how: 'whole' | 'broken' | 'left'): void;
}

/** One request on its way to the service, and its answer on the way back. */
export class Passage {
  private sent: ClientRequest | undefined;
  private readonly held: HeldAnswer;
  private readonly beganAt = performance.now();
  private cutting: NodeJS.Timeout | undefined;
  private idling: NodeJS.Timeout | undefined;
  private answer: IncomingMessage | undefined;
  private isToldOfEnd = false;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
    private readonly lifetime: Lifetime,
    private readonly upstream: Upstream,
    private readonly faults: Faults,
    private readonly observer: Observer,
  ) {
    this.held = new HeldAnswer(faults, (isPaused) => {
      if (isPaused) this.answer?.pause();
      else this.answer?.resume();
    });
    res.on('drain', () => this.held.drained());
    lifetime.onEnd(() => this.close());
  }

  /** Sends the request on. */
  begin(): void {
    if (this.lifetime.left) return;
    this.arm();
    this.send(false);
  }

  private send(isSecondTry: boolean): void {
    const { req } = this;
    const { method = 'GET', headers } = req;
    const hasBody = 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) > 0;
    const dropped = this.faults.get('drop-prefer') === undefined ? [] : ['prefer'];
    const fields = requestFields(req, this.upstream, dropped);
    if ('transfer-encoding' in headers) fields.push('Transfer-Encoding', 'chunked');
    // RFC 9110, section 8.6: a method that usually has content says that there is none.
    else if (!WITHOUT_CONTENT.has(method) && !('content-length' in headers)) fields.push('Content-Length', '0');
    let sent: ClientRequest;
    try {
      sent = this.upstream.request({ method, path: pathOf(req), fields, isFresh: isSecondTry });
    } catch {
      this.fail(new Problem(400, 'The path has characters not allowed in a URL. Encode them (RFC 3986, section 2.1).'));
      return;
    }
    this.sent = sent;
    // RFC 9110, section 10.1.1: the service says whether the client should send the body.
    sent.on('continue', () => {
      if (req.httpVersion !== '1.0') this.res.writeContinue();
    });
    sent.on('information', (interim) => this.passInterim(interim as Interim));
    // No request of a passage asks for another protocol (RFC 9110, section 7.8).
    sent.on('upgrade', (_, socket) => {
      socket.destroy();
      this.refuse('a switch to another protocol, which was not asked for');
    });
    sent.on('response', (answer) => this.receive(answer));
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (this.answer || this.lifetime.left || this.isToldOfEnd) return;
      // The service closed an idle connection at the moment that this request was sent on it (RFC 9112, section 9.3.1).
      if (sent.reusedSocket && !isSecondTry && !hasBody && IDEMPOTENT.has(method)) {
        this.send(true);
        return;
      }
      req.unpipe(sent);
      this.tellEnd('broken');
      this.fail(this.upstream.unreachable(error));
    });
    req.on('data', this.touch);
    if (hasBody) {
      sent.write(NO_BYTES); // the service may answer the head before the body has come
      req.pipe(sent);
    } else {
      req.resume();
      sent.end();
    }
  }

  /** Something has passed: the connection is not idle. */
  private readonly touch = (): void => void this.idling?.refresh();

  /** Passes on an interim answer at once, whatever fault is on. Node's own functions send only some of them, with a few fields. */
  private passInterim(interim: Interim): void {
    const { req, res } = this;
    this.touch();
    const text = interimText(interim, req.httpVersion);
    if (text === undefined || res.headersSent) return;
    const write = (socket: Socket) => {
      // A client that does not read misses hints: they do not pile up.
      if (socket.writableLength <= MAX_WAITING_BYTES) socket.write(text, 'latin1');
    };
    if (res.socket) write(res.socket);
    else if (res.listenerCount('socket') < MAX_INTERIM) res.once('socket', write);
  }

  /** Answers in place of an answer of the service that cannot be passed on. */
  private refuse(fault: string): void {
    this.tellEnd('broken');
    this.sent?.destroy();
    this.fail(this.upstream.badAnswer(fault));
  }

  private receive(answer: IncomingMessage): void {
    const fault = faultOf(answer);
    if (fault !== undefined) {
      this.refuse(fault);
      return;
    }
    this.answer = answer;
    this.touch();
    this.observer.head(answer);
    const { statusCode = 502, statusMessage } = answer;
    const { res, held } = this;
    const fields = answerFields(answer, this.upstream, this.req);
    held.add(0, () => {
      this.observer.headPassed(statusCode);
      res.writeHead(statusCode, statusMessage, fields);
      res.write(NO_BYTES);
      return true;
    });
    answer.on('data', (bytes: Buffer) => {
      this.touch();
      this.observer.piece(bytes);
      held.add(bytes.length, () => {
        this.observer.piecePassed(bytes);
        return res.write(bytes);
      });
    });
    answer.on('error', () => {}); // "close" follows
    answer.on('close', () => {
      this.tellEnd(answer.complete ? 'whole' : 'broken');
      const end = () => {
        if (answer.complete) this.finish();
        // The client sees that the answer is not whole (RFC 9112, section 8).
        else this.lifetime.cut();
        return true;
      };
      held.add(0, end, true);
    });
  }

  /** Ends the answer. What its client still sends is read for a moment, and dropped (RFC 9112, section 9.6). */
  private finish(): void {
    const { req, res, sent } = this;
    if (!req.complete) {
      if (sent) req.unpipe(sent);
      req.resume();
      res.once('finish', () => closeSoon(req.socket));
    }
    res.end();
  }

  /** Answers with a problem in place of the service. */
  fail(problem: Problem): void {
    const { res } = this;
    if (res.headersSent) {
      this.lifetime.cut();
      return;
    }
    const body = JSON.stringify(problem);
    this.observer.headPassed(problem.status);
    res.writeHead(problem.status, {
      'Content-Type': 'application/problem+json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      ...AS_IT_IS,
      ...problem.headers,
    });
    if (this.req.method !== 'HEAD') res.write(body);
    this.finish();
  }

  /** Sets the clocks of the faults `cut` and `idle`. Called when a fault was switched, too. */
  arm(): void {
    clearTimeout(this.cutting);
    clearTimeout(this.idling);
    this.held.move();
    const [cut, idle] = [this.faults.get('cut'), this.faults.get('idle')];
    if (cut !== undefined) {
      const leftMs = this.beganAt + 1_000 * cut - performance.now();
      this.cutting = setTimeout(() => this.lifetime.cut(), Math.max(0, leftMs));
    }
    if (idle !== undefined) this.idling = setTimeout(() => this.timeOut(idle), 1_000 * idle);
  }

  private timeOut(idle: number): void {
    if (this.res.headersSent || this.answer) {
      this.lifetime.cut();
      return;
    }
    this.tellEnd('left');
    this.sent?.destroy();
    this.fail(
      new Problem(504, `Nothing passed for ${idle} s. The proxy's fault "idle" is on; switch it off on its page.`),
    );
  }

  private tellEnd(how: 'whole' | 'broken' | 'left'): void {
    if (this.isToldOfEnd) return;
    this.isToldOfEnd = true;
    this.observer.ended(how);
  }

  /** The answer is over, or its client has left. */
  private close(): void {
    for (const timer of [this.cutting, this.idling]) clearTimeout(timer);
    this.held.close();
    this.tellEnd('left');
    this.sent?.destroy();
  }
}
