import type { Faults } from './faults.js';

/** How many bytes of an answer may wait for a delay or a slow client; beyond that, the service is paused. */
export const MAX_WAITING_BYTES = 64 * 1024;

/** A part of an answer: its head (no bytes), a piece of its body, or its end (no bytes). */
interface Part {
  readonly bytes: number;
  /** Hands it to the client. Returns false if the client has to take what it has first. */
  readonly pass: () => boolean;
  dueAt: number;
}

/** The parts of one answer on their way to the client, in their order: held back as the faults `buffer` and `delay` say. */
export class HeldAnswer {
  /** Parts that wait until the buffer is full. */
  private collected: Part[] = [];
  private collectedBytes = 0;
  /** Parts that wait for their time, or for the client. */
  private readonly due: Part[] = [];
  private dueBytes = 0;
  private isWhole = false;
  private isClosed = false;
  private isBlocked = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly faults: Faults,
    /** Has the sender pause, or go on. */
    private readonly pause: (isPaused: boolean) => void,
  ) {}

  /** Adds a part. `isLast` releases all that was collected. */
  add(bytes: number, pass: () => boolean, isLast = false): void {
    if (this.isClosed) return;
    this.collected.push({ bytes, pass, dueAt: 0 });
    this.collectedBytes += bytes;
    this.isWhole ||= isLast;
    this.move();
  }

  /** The client has taken what it was given. */
  drained(): void {
    this.isBlocked = false;
    this.move();
  }

  /** Nothing more is passed on. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.collected = [];
    this.due.length = 0;
  }

  /** Passes on what may be passed on now. Called when a fault was switched, too. */
  move(): void {
    if (this.isClosed) return;
    if (this.isWhole || this.collectedBytes >= (this.faults.get('buffer') ?? 0)) {
      const dueAt = performance.now() + (this.faults.get('delay') ?? 0);
      for (const part of this.collected) {
        part.dueAt = dueAt;
        this.due.push(part);
      }
      this.dueBytes += this.collectedBytes;
      this.collected = [];
      this.collectedBytes = 0;
    }
    clearTimeout(this.timer);
    while (!this.isBlocked && this.due[0]) {
      const [part] = this.due;
      const earlyMs = this.faults.get('delay') === undefined ? 0 : part.dueAt - performance.now();
      if (earlyMs > 0) {
        this.timer = setTimeout(() => this.move(), Math.ceil(earlyMs));
        break;
      }
      this.due.shift();
      this.dueBytes -= part.bytes;
      this.isBlocked = !part.pass();
    }
    this.pause(this.isBlocked || this.dueBytes > MAX_WAITING_BYTES);
  }
}
