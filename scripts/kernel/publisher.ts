// The iopub channel: everything that a cell shows, in order.
import * as zmq from 'zeromq';
import { Shared } from './link.js';
import { type Content, encode, type Header, makeMessage } from './protocol.js';

/** Text is gathered up to this size, or for this long: a loop's lines become a few messages. */
const CHUNK = 64 * 1024;
const CHUNK_MS = 25;

/** How long to wait for a reader that takes nothing, before output is lost (and said to be); and at the kernel's end. */
const PATIENCE_MS = 10_000;
const LAST_PATIENCE_MS = 500;
const RETRY_MS = 5;

export class Publisher {
  readonly socket = new zmq.Publisher({ linger: 500, noDrop: true, sendTimeout: 0 });
  private readonly queue: { frames: Buffer[]; size: number; parent: Header | undefined }[] = [];
  private draining: Promise<void> | undefined;
  private lost = 0;
  private closed = false;

  private stream: { name: string; parent: Header | undefined } = { name: 'stdout', parent: undefined };
  private text: string[] = [];
  private length = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly key: string,
    private readonly shared: Int32Array,
  ) {}

  /** What is written from now on goes to this stream of this cell. */
  writeTo(name: string, parent: Header | undefined): void {
    this.flush();
    this.stream = { name, parent };
  }

  write(text: string): void {
    this.text.push(text);
    this.length += text.length;
    if (this.length >= CHUNK) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), CHUNK_MS);
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.length === 0) return;
    const { name, parent } = this.stream;
    const [text, size] = [this.text.join(''), this.length];
    this.text = [];
    this.length = 0;
    this.enqueue('stream', parent, { name, text }, size);
  }

  /** `size`: the bytes to take off the count of pending ones when the message is sent. */
  publish(type: string, parent: Header | undefined, content: Content, size = 0): void {
    this.flush();
    this.enqueue(type, parent, content, size);
  }

  private enqueue(type: string, parent: Header | undefined, content: Content, size: number): void {
    if (this.closed) return;
    const message = makeMessage(type, parent, content, [Buffer.from(type)]);
    this.queue.push({ frames: encode(this.key, message), size, parent });
    this.draining ??= this.drain();
  }

  /** Resolves when the socket is closed, after what was published before; what is published later is dropped. */
  async close(): Promise<void> {
    this.flush();
    this.closed = true;
    await this.draining;
    this.socket.close();
  }

  private async drain(): Promise<void> {
    for (let next = this.queue.shift(); next; next = this.queue.shift()) {
      if (!(await this.send(next.frames))) this.lost += 1;
      else if (this.lost > 0) this.tellLoss(next.parent);
      Atomics.sub(this.shared, Shared.pending, next.size);
      Atomics.notify(this.shared, Shared.pending);
    }
    this.draining = undefined;
  }

  /**
   * Whether a reader with a full queue took the message in time. ZeroMQ says of a publisher that it can always be
   * written to, and then refuses the message: so it is asked again. A reader that hangs must not hang the kernel: once
   * something is lost, there is no more waiting until it takes something.
   */
  private async send(frames: Buffer[]): Promise<boolean> {
    const began = performance.now();
    for (;;) {
      try {
        await this.socket.send(frames);
        return true;
      } catch {
        const patience = this.lost > 0 ? 0 : this.closed ? LAST_PATIENCE_MS : PATIENCE_MS;
        if (performance.now() - began >= patience) return false;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private tellLoss(parent: Header | undefined): void {
    const text = `[${this.lost} messages of output are lost: a reader took none for ${PATIENCE_MS / 1000} s]\n`;
    this.lost = 0;
    this.enqueue('stream', parent, { name: 'stderr', text }, 0);
  }
}
