import net from 'node:net';
import tls from 'node:tls';
import { within } from './within.js';

/** The types of HTTP/2's frames (RFC 9113, section 6). */
export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const END_STREAM = 1;
export const END_HEADERS = 4;

/** One frame (RFC 9113, section 4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A request's fields, each a literal that is not indexed (RFC 7541, section 6.2.2). */
export function fields(method: string, path: string, more: Record<string, string> = {}): Buffer {
  const all = { ':method': method, ':path': path, ':scheme': 'https', ':authority': 'localhost', ...more };
  const literals = Object.entries(all).map(([name, value]) =>
    Buffer.concat([Buffer.from([0]), text(name), text(value)]),
  );
  return Buffer.concat(literals);
}

/** A string literal (RFC 7541, sections 5.1 and 5.2). */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

/** An HTTP/2 connection on which the test is the client, frame by frame. It answers nothing of its own accord. */
export class RawHttp2 {
  received = Buffer.alloc(0);
  over = false;
  /** Resolves when the server has closed its half, or all of it. The client keeps its own until `close()`. */
  readonly closed: Promise<void>;
  private next = 1;

  private constructor(readonly socket: tls.TLSSocket) {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]).subarray(-1024 * 1024);
    });
    this.closed = new Promise((resolve) => {
      const over = () => {
        this.over = true;
        resolve();
      };
      socket.once('end', over).once('close', over);
    });
  }

  /** Connects, and sends the client's preface (RFC 9113, section 3.4) with its settings. */
  static async connect(httpsUrl: string, settings: Buffer = Buffer.alloc(0)): Promise<RawHttp2> {
    const raw = new RawHttp2(await secureConnection(httpsUrl, ['h2']));
    raw.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.SETTINGS, 0, 0, settings));
    return raw;
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Sends the head of a request. Returns its stream. */
  request(method: string, path: string, more: Record<string, string> = {}, flags = END_STREAM): number {
    const stream = this.next;
    this.next += 2;
    this.send(frame(FRAME.HEADERS, flags | END_HEADERS, stream, fields(method, path, more)));
    return stream;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A setting of HTTP/2 (RFC 9113, section 6.5.1). 4 is SETTINGS_INITIAL_WINDOW_SIZE. */
export function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

/** A TLS connection that accepts any certificate of the server. */
export async function secureConnection(httpsUrl: string, alpn: string[]): Promise<tls.TLSSocket> {
  const { hostname, port } = new URL(httpsUrl);
  const socket = tls.connect({
    host: hostname,
    port: Number(port),
    rejectUnauthorized: false,
    ALPNProtocols: alpn,
    allowHalfOpen: true,
  } as tls.ConnectionOptions);
  await within(
    new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject)),
    `a TLS handshake with ${httpsUrl}`,
  );
  socket.on('error', () => {});
  return socket;
}

/** A TCP connection to a URL's port, whatever is spoken there. */
export async function plainConnection(url: string, allowHalfOpen = false): Promise<net.Socket> {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port), allowHalfOpen });
  socket.on('error', () => {});
  await within(
    new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
    `a connection to ${url}`,
  );
  return socket;
}
