import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a page tells, at most, in bytes. */
const MAX_BYTES = 1_000_000;

/** Something that a page has told. The page goes on when it is answered. */
export interface Told<T> {
  message: T;
  answer(reply: object): void;
}

/**
 * Hears what pages have to tell. It is on a port of its own, since a page that has used up its connections to one host can
 * still reach another. It and the pages that it was opened for share a secret. The listener proves with an HMAC
 * (RFC 2104) that it knows the secret; only then does a page show that it knows it, too, by the path of its reports.
 */
export class Listener<T> {
  private readonly secret = randomBytes(32).toString('hex');
  private readonly server = createServer((request, response) => void this.hear(request, response));
  private told: Told<T>[] = [];
  private came = () => {};

  static async open<T>(): Promise<Listener<T>> {
    const listener = new Listener<T>();
    await once(listener.server.listen(0, '127.0.0.1'), 'listening');
    return listener;
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Where pages tell what they see, by POST. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/${this.secret}`;
  }

  /** What ends the URL of a page, and tells it of this listener: `#report=PORT&secret=SECRET`. No server ever sees it. */
  get fragment(): string {
    return `#report=${this.port}&secret=${this.secret}`;
  }

  /** The next thing that is told; null when nothing is within that time. */
  async next(withinMs: number): Promise<Told<T> | null> {
    if (this.told.length === 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.came = resolve;
        timer = setTimeout(resolve, withinMs);
      });
      clearTimeout(timer);
    }
    return this.told.shift() ?? null;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      // The page is another server's: without this it could send, but not read the answer (Fetch standard, "CORS protocol").
      response.setHeader('Access-Control-Allow-Origin', '*');
      const [, nonce] = /^\/\?nonce=([0-9a-f-]{1,64})$/.exec(request.url ?? '') ?? [];
      if (request.method === 'GET' && nonce)
        return void response.end(createHmac('sha256', this.secret).update(nonce).digest('hex'));
      if (request.method !== 'POST' || request.url !== `/${this.secret}`) return void response.writeHead(404).end();
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of request) {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) return void response.writeHead(413).end();
        chunks.push(chunk);
      }
      const message = JSON.parse(Buffer.concat(chunks).toString()) as T;
      const answer = (reply: object) => {
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(reply));
      };
      this.told.push({ message, answer });
      this.came();
    } catch {
      if (!response.headersSent) response.writeHead(400).end();
    }
  }
}
