import net from 'node:net';

/** An answer, whole. */
export interface Response {
  status: number;
  body: string;
}

const connect = (port: number): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('latin1');
    socket.once('error', reject).once('connect', () => resolve(socket.off('error', reject)));
  });

const headOf = (method: string, path: string, headers: string) =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;

/** A POST of JSON, as it goes on the wire. */
export const post = (path: string, json: unknown): string => {
  const body = JSON.stringify(json);
  return `${headOf('POST', path, `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`)}${body}`;
};

export const get = (path: string, headers = ''): string => headOf('GET', path, headers);

/** A keep-alive connection. It reads what these servers write and no more, so that the client is never the bottleneck. */
export class Connection {
  private received = '';
  private readonly waiting: { resolve: (response: Response) => void; reject: (error: Error) => void }[] = [];

  private constructor(private readonly socket: net.Socket) {
    socket.on('data', (text: string) => {
      this.received += text;
      for (let response = this.take(); response; response = this.take()) this.waiting.shift()?.resolve(response);
    });
    const lost = (error: Error) => {
      for (const { reject } of this.waiting.splice(0)) reject(error);
    };
    socket.on('error', lost).on('close', () => lost(new Error('the server closed a connection')));
  }

  static async open(port: number): Promise<Connection> {
    return new Connection(await connect(port));
  }

  get closed(): boolean {
    return this.socket.destroyed;
  }

  /** Sends requests in one piece (pipelining), and resolves with their answers. */
  sendAll(requests: string[]): Promise<Response[]> {
    if (this.socket.destroyed) return Promise.reject(new Error('the server has closed the connection'));
    const answers = requests.map(
      () => new Promise<Response>((resolve, reject) => this.waiting.push({ resolve, reject })),
    );
    this.socket.write(requests.join(''), 'latin1');
    return Promise.all(answers);
  }

  /** Sends a request, and resolves with its answer. A caller may ignore the promise, also when it rejects. */
  send(request: string): Promise<Response> {
    const answer = this.sendAll([request]).then(([first]) => first as Response);
    answer.catch(() => {});
    return answer;
  }

  close(): void {
    this.socket.destroy();
  }

  /** The next whole answer of what was received. */
  private take(): Response | null {
    const head = this.received.indexOf('\r\n\r\n');
    if (head < 0) return null;
    const status = Number(this.received.slice(9, 12));
    const length = /\r\ncontent-length: (\d+)/i.exec(this.received.slice(0, head))?.[1];
    if (length === undefined && status !== 204 && status !== 304) throw new Error(`no length:\n${this.received}`);
    const end = head + 4 + Number(length ?? 0);
    if (this.received.length < end) return null;
    const body = this.received.slice(head + 4, end);
    this.received = this.received.slice(end);
    return { status, body };
  }
}

/** A reader of an event stream. */
export class Stream {
  /** The newest id. */
  lastId = '';
  private rest = '';
  private opened!: () => void;

  private constructor(
    private readonly socket: net.Socket,
    onEvent: (stream: Stream) => void,
  ) {
    socket.on('error', () => {});
    socket.on('data', (text: string) => {
      this.opened();
      const frames = (this.rest + text).split('\n\n');
      this.rest = frames.pop() as string;
      for (const frame of frames) {
        const id = /(?:^|\n)id: (\S+)/.exec(frame)?.[1];
        if (id === undefined) continue; // a comment, or the time to reconnect
        this.lastId = id;
        onEvent(this);
      }
    });
  }

  /** Connects. The stream is asked for by `begin`. */
  static async connect(port: number, onEvent: (stream: Stream) => void): Promise<Stream> {
    return new Stream(await connect(port), onEvent);
  }

  /** Connects, and asks. Resolves when the answer has begun. */
  static async open(port: number, path: string, onEvent: (stream: Stream) => void, lastId = ''): Promise<Stream> {
    const stream = await Stream.connect(port, onEvent);
    await stream.begin(path, lastId);
    return stream;
  }

  /** Resolves when the answer has begun. */
  begin(path: string, lastId = ''): Promise<void> {
    const begun = new Promise<void>((resolve, reject) => {
      this.opened = resolve;
      this.socket.once('close', () => reject(new Error('the server closed a stream')));
    });
    const cursor = lastId && `Last-Event-ID: ${lastId}\r\n`;
    this.socket.write(headOf('GET', path, `Accept: text/event-stream\r\n${cursor}`));
    return begun;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Does so many things, a few at a time, so that the server's queue of connections never overflows. */
export async function inTurns<T>(count: number, one: (n: number) => Promise<T>, atOnce = 100): Promise<T[]> {
  const done: T[] = [];
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < count; n = next++) done[n] = await one(n);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
  return done;
}
