import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import tls from 'node:tls';
import { Client, type RequestOptions } from './client.js';
import { within } from './within.js';

/** The certificate that a server shows, without asking who signed it. */
export async function certificateOf(httpsUrl: string): Promise<X509Certificate> {
  const { hostname, port } = new URL(httpsUrl);
  const socket = tls.connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  try {
    await within(
      new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject)),
      `a TLS handshake with ${httpsUrl}`,
    );
    return socket.getPeerX509Certificate() as X509Certificate;
  } finally {
    socket.destroy();
  }
}

/** A client of the contract's interface whose requests share one HTTP/2 connection. */
export class Http2Client extends Client {
  private constructor(
    base: string,
    readonly session: ClientHttp2Session,
  ) {
    super(base);
  }

  /** Connects over TLS, and trusts the server's certificate and no other. */
  static async connect(httpsUrl: string, settings: http2.Settings = {}): Promise<Http2Client> {
    const ca = (await certificateOf(httpsUrl)).toString();
    const session = http2.connect(httpsUrl, { ca, settings });
    const ready = new Promise<void>((resolve, reject) => {
      session.once('remoteSettings', () => resolve()).once('error', reject);
    });
    await within(ready, `an HTTP/2 connection to ${httpsUrl}`);
    session.on('error', () => {}); // a caller that waits for an answer gets the error
    return new Http2Client(httpsUrl, session);
  }

  /** Sends a request; nothing is read of what comes. */
  send(method: string, path: string, headers: OutgoingHttpHeaders = {}, endStream = true): ClientHttp2Stream {
    const stream = this.session.request({ ':method': method, ':path': path, ...headers }, { endStream });
    stream.on('error', () => {}); // a caller that waits for an answer gets the error
    return stream;
  }

  /** As an HTTP/1.1 client gives it: what the tests read of a response is the same. */
  override async open(method: string, path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const { json, signal } = options;
    const body = json === undefined ? options.body : JSON.stringify(json);
    const headers: OutgoingHttpHeaders = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      headers[name.toLowerCase() === 'host' ? ':authority' : name.toLowerCase()] = value;
    }
    if (json !== undefined) headers['content-type'] ??= 'application/json';
    const whole = typeof body === 'string' || Buffer.isBuffer(body);
    if (whole) headers['content-length'] ??= Buffer.byteLength(body);
    const stream = this.send(method, path, headers, body === undefined);
    signal?.addEventListener('abort', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      stream.once('response', (received: http2.IncomingHttpHeaders, _: number, rawHeaders: string[]) => {
        const { ':status': statusCode, ...rest } = received;
        resolve(Object.assign(stream, { statusCode, headers: rest, rawHeaders }) as unknown as IncomingMessage);
      });
      stream.once('error', reject);
      stream.once('close', () => reject(new Error(`the stream closed without a response (${stream.rstCode})`)));
    });
    if (whole) stream.end(body);
    else if (body) {
      void (async () => {
        for await (const chunk of body) {
          if (stream.destroyed) return;
          await new Promise<void>((written) => stream.write(chunk, () => written()));
        }
        stream.end();
      })();
    }
    return response;
  }

  close(): void {
    this.session.destroy();
  }
}

/** Resolves with the code of a stream's end (RFC 9113, section 7), once it is over. */
export async function over(stream: ClientHttp2Stream): Promise<number> {
  stream.resume();
  if (!stream.destroyed) await within(new Promise((resolve) => stream.once('close', resolve)), 'the stream to close');
  return stream.rstCode ?? 0;
}
