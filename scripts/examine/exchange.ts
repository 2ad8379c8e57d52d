import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { Readable } from 'node:stream';
import { Problem } from '../shared/problem.mjs';
import { shownText, shownUrl } from './redact.js';

/** No answer is read further than this, in bytes. */
export const MAX_BYTES = 8 * 2 ** 20;

export interface Ask {
  readonly url: string;
  /** Default: `GET`. */
  readonly method?: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Default: HTTP/1.1. HTTP/2 is negotiated over TLS, and used without negotiation for `http:` URLs. */
  readonly protocol?: 'HTTP/1.1' | 'HTTP/2';
  /** Accepts any certificate. Default: false. */
  readonly insecure?: boolean | undefined;
  /** Closes the exchange when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a body, and when they came: milliseconds since the request was sent. */
export interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

/** One request, and its answer as far as it has come. Each has a connection of its own, as each reader has. */
export class Exchange {
  status = 0;
  /** Names in lower case; several values joined with a comma. */
  headers: Readonly<Record<string, string>> = {};
  /** When the response head came, in milliseconds since the request was sent; undefined before. */
  headAt: number | undefined;
  readonly pieces: Piece[] = [];
  bytes = 0;
  /** When it ended, in milliseconds since the request was sent; undefined before. */
  endedAt: number | undefined;
  /** `whole`: the server ended the body. `cut`: the connection broke. `closed`: this side closed it. `bound`: too large. */
  ending: 'whole' | 'cut' | 'closed' | 'bound' | undefined;
  error: string | undefined;
  /** The server's `SETTINGS_MAX_CONCURRENT_STREAMS`, over HTTP/2. */
  maxStreams: number | undefined;
  /** When the request was sent, on the clock of `performance.now()`. */
  readonly began = performance.now();
  readonly #closing = new AbortController();
  readonly #waiting = new Set<() => void>();

  constructor(readonly ask: Ask) {
    if (ask.signal?.aborted) {
      this.#end('closed');
      return;
    }
    ask.signal?.addEventListener('abort', () => this.close(), { signal: this.#closing.signal });
    const begin = ask.protocol === 'HTTP/2' ? this.#beginHttp2 : this.#beginHttp1;
    begin.call(this).catch((error: unknown) => {
      this.#end('cut', error as Error);
    });
  }

  /** Milliseconds since the request was sent. */
  get now(): number {
    return performance.now() - this.began;
  }

  get text(): string {
    return Buffer.concat(this.pieces.map(({ bytes }) => bytes)).toString('utf8');
  }

  /** Closes the connection, as a reader does that leaves. */
  close(): void {
    this.#end('closed');
    this.#closing.abort();
  }

  /**
   * Waits until `done`, which is asked again whenever something comes of this exchange or of `others`.
   * @returns false if `ms` passed first, or nothing more can come of any of them.
   */
  async until(done: () => boolean, ms: number, others: readonly Exchange[] = []): Promise<boolean> {
    const all = [this, ...others];
    const limit = performance.now() + ms;
    while (!done()) {
      const left = limit - performance.now();
      if (left <= 0 || all.every(({ endedAt }) => endedAt !== undefined)) return false;
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          for (const each of all) each.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        for (const each of all) each.#waiting.add(wake);
      });
    }
    return true;
  }

  #tell(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #head(status: number, headers: NodeJS.Dict<string | string[]>): void {
    this.headAt = this.now;
    this.status = status;
    this.headers = Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        value === undefined || name.startsWith(':') ? [] : [[name, [value].flat().join(', ')]],
      ),
    );
    this.#tell();
  }

  #end(ending: NonNullable<Exchange['ending']>, error?: Error): void {
    if (this.endedAt !== undefined) return;
    this.endedAt = this.now;
    this.ending = ending;
    if (error)
      this.error = shownText([(error as NodeJS.ErrnoException).code, error.message].filter(Boolean).join(': '));
    this.#tell();
  }

  /** Reads a body to its end, or to the bound. */
  #read(body: Readable): void {
    body.on('data', (bytes: Buffer) => {
      this.pieces.push({ at: this.now, bytes });
      this.bytes += bytes.length;
      if (this.bytes > MAX_BYTES) {
        this.#end('bound');
        this.#closing.abort();
      } else this.#tell();
    });
    body.on('end', () => this.#end('whole'));
    body.on('error', (error) => this.#end('cut', error));
    body.on('close', () => this.#end('cut'));
  }

  async #beginHttp1(): Promise<void> {
    const { url, method = 'GET', headers = {}, body, insecure = false } = this.ask;
    const { request } = url.startsWith('https:') ? https : http;
    const options = { method, headers, agent: false, rejectUnauthorized: !insecure, signal: this.#closing.signal };
    const sent = request(url, options);
    sent.on('error', (error) => this.#end('cut', error));
    sent.on('response', (response) => {
      this.#head(response.statusCode ?? 0, response.headers);
      this.#read(response);
    });
    sent.end(body);
  }

  async #beginHttp2(): Promise<void> {
    const { url, method = 'GET', headers = {}, body, insecure = false } = this.ask;
    const { origin, pathname, search } = new URL(url);
    const session = http2.connect(origin, { rejectUnauthorized: !insecure });
    session.on('error', (error) => this.#end('cut', error));
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      this.maxStreams = maxConcurrentStreams;
    });
    this.#closing.signal.addEventListener('abort', () => session.destroy());
    await once(session, 'connect', { signal: this.#closing.signal });
    const { host: _host, connection: _connection, ...rest } = headers;
    const stream = session.request({ ':method': method, ':path': `${pathname}${search}`, ...rest });
    stream.on('response', (head) => this.#head(Number(head[':status']), head as NodeJS.Dict<string | string[]>));
    this.#read(stream);
    stream.on('close', () => session.close());
    stream.end(body);
  }
}

/** The most redirects that are followed. */
const MAX_REDIRECTS = 5;

/** The headers of a request, unless the user gives others. */
export const DEFAULT_HEADERS = {
  accept: 'text/event-stream, application/json;q=0.9, */*;q=0.1',
  'accept-encoding': 'identity',
};

/**
 * Sends a request, waits for its response head, and follows redirects of a GET, as a browser does.
 * Headers of the user are sent to the origin that the user named, and to no other: any of them may be a secret.
 * Error: a {@link Problem} if the connection fails, the answer is not HTTP, or it redirects to something else; the
 * signal's reason if that is aborted. After `waitMs` without an answer, it resolves all the same.
 */
export async function open(ask: Ask, waitMs: number, sent: (exchange: Exchange) => void): Promise<Exchange> {
  let now = ask;
  for (let redirects = 0; ; redirects += 1) {
    const exchange = new Exchange(now);
    sent(exchange);
    await exchange.until(() => exchange.headAt !== undefined, waitMs);
    ask.signal?.throwIfAborted();
    if (exchange.error !== undefined && exchange.headAt === undefined) {
      throw new Problem(
        `${shownUrl(now.url)} could not be reached: ${exchange.error}. Is the server running, and is the URL right?`,
      );
    }
    const { location } = exchange.headers;
    const redirected = [301, 302, 303, 307, 308].includes(exchange.status) && location !== undefined;
    if (!redirected || (now.method ?? 'GET') !== 'GET' || redirects >= MAX_REDIRECTS) return exchange;
    exchange.close();
    const to = URL.canParse(location, now.url) ? new URL(location, now.url) : undefined;
    if (!to || !/^https?:$/.test(to.protocol)) {
      throw new Problem(
        `${shownUrl(now.url)} redirects to "${shownUrl(location)}". Expected a "Location" that is a URL of http: or https:.`,
      );
    }
    const same = to.origin === new URL(now.url).origin;
    now = { ...now, url: to.href, headers: same ? (now.headers ?? {}) : DEFAULT_HEADERS };
  }
}
