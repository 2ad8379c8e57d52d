import net from 'node:net';
import { within } from './within.js';

/** A response cut out of a connection's bytes. */
export interface RawResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Bytes on the wire, head and framing included. */
  length: number;
}

/** A TCP connection on which the test is the HTTP client, byte by byte. */
export class RawConnection {
  /** What the server sent, one character a byte. */
  received = '';
  sent = 0;
  /** Resolves when the connection is over, whichever way. */
  readonly closed: Promise<void>;
  over = false;
  /** Milliseconds until a test gives up on an answer. */
  patienceMs = 20_000;
  #wake = new Set<() => void>();

  private constructor(readonly socket: net.Socket) {
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
      this.#notify();
    });
    // A server may close a connection by a reset: what it sent before counts.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.over = true;
        this.#notify();
        resolve();
      });
    });
  }

  static async connect(base: string, allowHalfOpen = false): Promise<RawConnection> {
    const { hostname, port } = new URL(base);
    const socket = net.connect({ host: hostname, port: Number(port), allowHalfOpen });
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      }),
      `a connection to ${base}`,
    );
    socket.setNoDelay(true);
    return new RawConnection(socket);
  }

  /** Sends bytes as they are; a string is one byte a character. Resolves once the kernel has them. */
  async send(bytes: string | Buffer): Promise<void> {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    this.sent += buffer.length;
    await new Promise<void>((resolve) => this.socket.write(buffer, () => resolve()));
  }

  /** Waits for a text in what was received. */
  async until(text: string): Promise<void> {
    await this.#wait(() => this.received.includes(text), JSON.stringify(text));
  }

  /** Waits for so many whole responses, in order. */
  async responses(count: number, methods: string[] = []): Promise<RawResponse[]> {
    await this.#wait(() => parseResponses(this.received, methods, this.over).length >= count, `${count} responses`);
    return parseResponses(this.received, methods, this.over).slice(0, count);
  }

  async response(method = 'GET'): Promise<RawResponse> {
    const [response] = await this.responses(1, [method]);
    if (!response) throw new Error('no response');
    return response;
  }

  close(): void {
    this.socket.destroy();
  }

  async #wait(there: () => boolean, what: string): Promise<void> {
    const wait = async () => {
      while (!there()) {
        if (this.over) throw new Error(`closed before ${what}; received:\n${this.received}`);
        await new Promise<void>((resolve) => this.#wake.add(resolve));
      }
    };
    await within(wait(), () => `${what}; received:\n${this.received.slice(0, 2000)}`, this.patienceMs);
  }

  #notify(): void {
    const wake = [...this.#wake];
    this.#wake.clear();
    for (const resolve of wake) resolve();
  }
}

/**
 * The whole responses in a connection's bytes (RFC 9112, section 6.3: how long a body is).
 *
 * @param methods - of the requests, in order; the response to a HEAD has no body.
 * @param ended - whether the connection is over, which ends a body of unknown length.
 */
export function parseResponses(bytes: string, methods: string[], ended: boolean): RawResponse[] {
  const responses: RawResponse[] = [];
  let at = 0;
  while (at < bytes.length) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    if (headEnd < 0) break;
    const [statusLine = '', ...lines] = bytes.slice(at, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
    if (!status) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const method = methods[responses.filter((one) => one.status >= 200).length];
    const start = headEnd + 4;
    let body = '';
    let end = start;
    if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
      // no body, whatever the headers say
    } else if (headers['transfer-encoding'] === 'chunked') {
      for (;;) {
        const lineEnd = bytes.indexOf('\r\n', end);
        if (lineEnd < 0) return responses;
        const size = Number.parseInt(bytes.slice(end, lineEnd), 16);
        if (bytes.length < lineEnd + 2 + size + 2) return responses;
        body += bytes.slice(lineEnd + 2, lineEnd + 2 + size);
        end = lineEnd + 2 + size + 2;
        if (size === 0) break;
      }
    } else if (headers['content-length'] !== undefined) {
      end = start + Number(headers['content-length']);
      if (bytes.length < end) return responses;
      body = bytes.slice(start, end);
    } else {
      if (!ended) return responses;
      end = bytes.length;
      body = bytes.slice(start);
    }
    responses.push({ status, headers, body, length: end - at });
    at = end;
  }
  return responses;
}
