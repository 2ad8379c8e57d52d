import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { Problem } from '../shared/problem.mjs';
import { shownText, shownUrl } from './redact.js';

/** No answer is read further than this, in bytes. */
export const MAX_BYTES = 8 * 2 ** 20;
/** No answer is read beyond this many pieces: a server may send each byte by itself. */
const MAX_PIECES = 200_000;
/** No more interim responses (RFC 9110, section 15.2) are taken before the answer. */
const MAX_INTERIM = 32;
/** How long a TLS connection may take that shows which protocol a server chooses, in milliseconds. */
const NEGOTIATE_MS = 10_000;

/** A version of HTTP that a request is sent over. */
export type Protocol = 'HTTP/1.1' | 'HTTP/2';

export interface Ask {
  readonly url: string;
  /** Default: `GET`. */
  readonly method?: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Default: HTTP/1.1. HTTP/2 is negotiated over TLS, and used with prior knowledge for `http:` URLs (RFC 9113, section 3.3). */
  readonly protocol?: Protocol | undefined;
  /** Reads nothing of the body until {@link Exchange.read} is called. Default: false. */
  readonly unread?: boolean;
  /** How many bytes of the body the server may send before some are read (`SETTINGS_INITIAL_WINDOW_SIZE`). HTTP/2 only. */
  readonly windowBytes?: number;
  /** Accepts any certificate. Default: false. */
  readonly insecure?: boolean | undefined;
  /** Closes the exchange when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a body, and when the first of them came: milliseconds since the request was sent. */
export interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

/** Bytes that come within this time of a piece's beginning join it, in milliseconds. No rule needs a finer time. */
const SAME_MS = 5;
/** A piece does not grow beyond this, in bytes: it is copied each time. */
const GROWN_BYTES = 4_096;

/** Adds what came at a time: to the last piece if that began just now and is small, so that a server's tiny writes cost little memory. */
export function addPiece(pieces: Piece[], at: number, bytes: Buffer): void {
  const last = pieces.at(-1);
  if (last && at - last.at < SAME_MS && last.bytes.length + bytes.length <= GROWN_BYTES)
    pieces[pieces.length - 1] = { at: last.at, bytes: Buffer.concat([last.bytes, bytes]) };
  else pieces.push({ at, bytes });
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
  /** The server's first GOAWAY over HTTP/2 (RFC 9113, section 6.8): its error code, and when it came, as `headAt`. */
  goaway: { readonly code: number; readonly at: number } | undefined;
  /** When the request was sent, on the clock of `performance.now()`. */
  readonly began = performance.now();
  readonly #closing = new AbortController();
  readonly #waiting = new Set<() => void>();
  /** The body, where nothing of it is read yet. */
  #unread: Readable | undefined;

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

  get protocol(): Protocol {
    return this.ask.protocol ?? 'HTTP/1.1';
  }

  get text(): string {
    return Buffer.concat(this.pieces.map(({ bytes }) => bytes)).toString('utf8');
  }

  /** Begins to read a body that was asked for `unread`. */
  read(): void {
    if (this.#unread) this.#read(this.#unread);
    this.#unread = undefined;
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
    // Node still parses the rest of a packet that had too many interim responses: ignore an answer in it.
    if (this.endedAt !== undefined) return;
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

  #refuseInterim(): void {
    this.#end('cut', new Error(`more than ${MAX_INTERIM} interim responses and no answer`));
    this.#closing.abort();
  }

  #body(body: Readable): void {
    body.on('error', (error) => this.#end('cut', error));
    if (this.ask.unread) this.#unread = body;
    else this.#read(body);
  }

  /** Reads a body to its end, or to the bound. */
  #read(body: Readable & { readonly rstCode?: number | undefined }): void {
    body.on('data', (bytes: Buffer) => {
      addPiece(this.pieces, this.now, bytes);
      this.bytes += bytes.length;
      if (this.bytes > MAX_BYTES || this.pieces.length > MAX_PIECES) {
        this.#end('bound');
        this.#closing.abort();
      } else this.#tell();
    });
    body.on('end', () => {
      // Node ends a body that is reset with CANCEL, too. One that is reset without an error cannot be told from one that has ended.
      if (body.rstCode) this.#end('cut', new Error(`RST_STREAM with code ${body.rstCode}`));
      else this.#end('whole');
    });
    body.on('close', () => this.#end('cut'));
  }

  async #beginHttp1(): Promise<void> {
    const { url, method = 'GET', headers = {}, body, insecure = false } = this.ask;
    const { request } = url.startsWith('https:') ? https : http;
    const options = { method, headers, agent: false, rejectUnauthorized: !insecure, signal: this.#closing.signal };
    const sent = request(url, options);
    let interim = 0;
    sent.on('error', (error) => this.#end('cut', error));
    sent.on('information', () => {
      interim += 1;
      if (interim > MAX_INTERIM) this.#refuseInterim();
    });
    sent.on('response', (response) => {
      this.#head(response.statusCode ?? 0, response.headers);
      this.#body(response);
    });
    sent.end(body);
  }

  async #beginHttp2(): Promise<void> {
    const { url, method = 'GET', headers = {}, body, insecure = false, windowBytes } = this.ask;
    const { origin, pathname, search } = new URL(url);
    const window = windowBytes === undefined ? {} : { initialWindowSize: windowBytes };
    // Refuses pushed streams, as browsers do, because this program would not read them.
    const session = http2.connect(origin, {
      rejectUnauthorized: !insecure,
      settings: { enablePush: false, ...window },
    });
    session.on('error', (error) => this.#end('cut', error));
    session.on('close', () => this.#end('cut'));
    session.on('goaway', (code) => {
      this.goaway ??= { code, at: this.now };
      this.#tell();
    });
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      this.maxStreams = maxConcurrentStreams;
    });
    this.#closing.signal.addEventListener('abort', () => session.destroy());
    await once(session, 'connect', { signal: this.#closing.signal });
    const { host, ...others } = headers;
    const fields = Object.entries(others).filter(([name]) => !CONNECTION_FIELDS.has(name));
    const stream = session.request({
      ...{ ':method': method, ':path': `${pathname}${search}`, ...(host === undefined ? {} : { ':authority': host }) },
      ...Object.fromEntries(fields),
    });
    let interim = 0;
    stream.on('headers', () => {
      interim += 1;
      if (interim > MAX_INTERIM) this.#refuseInterim();
    });
    stream.on('response', (head) => this.#head(Number(head[':status']), head as NodeJS.Dict<string | string[]>));
    this.#body(stream);
    stream.on('close', () => session.close());
    stream.end(body);
  }
}

/** Fields of a connection, which HTTP/2 does not have (RFC 9113, section 8.2.2). */
const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

/**
 * Which version of HTTP a browser speaks to a URL: HTTP/2 where the server chooses it over TLS (ALPN, RFC 7301), else HTTP/1.1. Opens a
 * connection, and sends no request.
 */
async function negotiated({ url, insecure = false, signal }: Ask): Promise<Protocol> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'https:') return 'HTTP/1.1';
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connectTls({
    ...{ host, port: Number(port) || 443, rejectUnauthorized: !insecure, ALPNProtocols: ['h2', 'http/1.1'] },
    ...(isIP(host) ? {} : { servername: host }),
  });
  const limit = AbortSignal.timeout(NEGOTIATE_MS);
  try {
    await once(socket, 'secureConnect', { signal: signal ? AbortSignal.any([signal, limit]) : limit });
    return socket.alpnProtocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1';
  } catch {
    // The request over HTTP/1.1 tells what is wrong.
    return 'HTTP/1.1';
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

/** What is seen of an exchange, whoever sent the request. */
export type SeenExchange = Pick<Exchange, 'ask' | 'status' | 'headers' | 'headAt' | 'pieces' | 'bytes'> &
  Pick<Exchange, 'began' | 'now' | 'endedAt' | 'ending' | 'error' | 'maxStreams' | 'goaway'>;

/** The most redirects that are followed. */
const MAX_REDIRECTS = 5;

/** The headers of a request, unless the user gives others. */
export const DEFAULT_HEADERS = {
  accept: 'text/event-stream, application/json;q=0.9, */*;q=0.1',
  'accept-encoding': 'identity',
};

/** What may help where no answer comes. */
function remedy(error: string, { protocol }: Ask): string {
  if (/CERT|ALTNAME|certificate/i.test(error)) return 'Its certificate is not accepted: --insecure accepts any.';
  if (protocol === 'HTTP/2') return 'Is the server running, is the URL right, and does it speak HTTP/2?';
  return 'Is the server running, and is the URL right?';
}

/**
 * Sends a request, waits for its response head, and follows redirects of a GET, as a browser does.
 * Without a protocol, it is the one that a browser takes.
 * Headers of the user are sent to the origin that the user named, and to no other: any of them may be a secret.
 * Error: a {@link Problem} if the connection fails, the answer is not HTTP, or it redirects too often or to something else; the
 * signal's reason if that is aborted. After `waitMs` without an answer, it resolves all the same.
 */
export async function open(ask: Ask, waitMs: number, sent: (exchange: Exchange) => void): Promise<Exchange> {
  let now = ask;
  for (let redirects = 0; ; redirects += 1) {
    const exchange = new Exchange({ ...now, protocol: ask.protocol ?? (await negotiated(now)) });
    sent(exchange);
    await exchange.until(() => exchange.headAt !== undefined, waitMs);
    ask.signal?.throwIfAborted();
    if (exchange.error !== undefined && exchange.headAt === undefined) {
      throw new Problem(
        `${shownUrl(now.url)} could not be reached: ${exchange.error}. ${remedy(exchange.error, exchange.ask)}`,
      );
    }
    const { location } = exchange.headers;
    const redirected = [301, 302, 303, 307, 308].includes(exchange.status) && location !== undefined;
    if (!redirected || (now.method ?? 'GET') !== 'GET') return exchange;
    exchange.close();
    if (redirects === MAX_REDIRECTS) {
      throw new Problem(
        `${shownUrl(ask.url)} redirects more than ${MAX_REDIRECTS} times, the last time from ${shownUrl(now.url)} to "${shownUrl(location)}". Expected an answer. Do the redirects go in a circle, or does the server want a cookie (--header "Cookie: …")?`,
      );
    }
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
