import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { EventData } from './types.js';
import { within } from './within.js';

/** One event as it was dispatched: fields as on the wire, `data` parsed when it is asked for. */
export interface StreamEvent {
  /** The `id:` field of this very event; undefined when it has none (a `gap`). */
  id: string | undefined;
  event: string;
  text: string;
  data: EventData;
}

/**
 * A reader of an event stream that keeps everything: the bytes, the comments, the fields. It is strict where the
 * standard's own parser is lenient (HTML, section 9.2.6): a line that no server should send is an error here.
 */
export class StreamReader {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** All that came, as it came. */
  raw = '';
  readonly comments: string[] = [];
  retry: number | undefined;
  /** All events so far, read or not. */
  readonly events: StreamEvent[] = [];
  /** Resolves when the server ended the response; rejects when the connection broke. */
  readonly ended: Promise<void>;
  over = false;
  /** Milliseconds until a test gives up on an event. */
  patienceMs = 20_000;

  #response: IncomingMessage;
  #unparsed = '';
  #fields: { id: string | undefined; event: string; data: string[] } | undefined;
  #taken = 0;
  #failure: Error | undefined;
  #wake = new Set<() => void>();

  constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      this.raw += text;
      try {
        this.#parse(text);
      } catch (error) {
        this.#failure = error as Error;
      }
      this.#notify();
    });
    this.ended = new Promise((resolve, reject) => {
      response.once('end', resolve);
      response.once('error', reject);
      response.once('close', () => {
        this.over = true;
        this.#notify();
        reject(new Error('the connection closed before the response ended'));
      });
    });
    this.ended.catch(() => {});
  }

  /** The next event that was not taken yet. */
  async next(): Promise<StreamEvent> {
    await this.#until(() => this.events.length > this.#taken, 'the next event');
    const event = this.events[this.#taken++];
    if (!event) throw new Error('no event');
    return event;
  }

  async take(count: number): Promise<StreamEvent[]> {
    const taken: StreamEvent[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** Takes events up to and with the first of a name. */
  async upTo(...names: string[]): Promise<StreamEvent[]> {
    const taken: StreamEvent[] = [];
    for (;;) {
      const event = await this.next();
      taken.push(event);
      if (names.includes(event.event)) return taken;
    }
  }

  /** Takes a job's events up to its end. */
  toTheEnd(): Promise<StreamEvent[]> {
    return this.upTo('succeeded', 'failed', 'cancelled');
  }

  /** Waits until so many comments (heartbeats) have come in all. */
  async commented(count: number): Promise<void> {
    await this.#until(() => this.comments.length >= count, `${count} comments`);
  }

  async opened(): Promise<void> {
    await this.#until(() => this.retry !== undefined, 'the retry: line');
  }

  /** Stops reading: what comes stays in the kernel, until that is full. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  /** Goes away, as a closed EventSource does. */
  close(): void {
    this.#response.destroy();
  }

  async #until(there: () => boolean, what: string): Promise<void> {
    const wait = async () => {
      while (!there()) {
        if (this.#failure) throw this.#failure;
        if (this.over) throw new Error(`the stream ended before ${what}; it said:\n${this.raw}`);
        await new Promise<void>((resolve) => this.#wake.add(resolve));
      }
    };
    await within(wait(), () => `${what}; the stream said:\n${this.raw}`, this.patienceMs);
  }

  #notify(): void {
    const wake = [...this.#wake];
    this.#wake.clear();
    for (const resolve of wake) resolve();
  }

  #parse(text: string): void {
    const lines = (this.#unparsed + text).split(/\r\n|\n|\r/);
    this.#unparsed = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === '') {
      // "If the data buffer is an empty string, set the data buffer and the event type buffer to the empty string
      // and return." An event without data is never dispatched, so a server that sends one has lost it.
      if (this.#fields) {
        if (!this.#fields.data.length) throw new Error(`an event without data:\n${this.raw}`);
        const text = this.#fields.data.join('\n');
        this.events.push({
          id: this.#fields.id,
          event: this.#fields.event,
          text,
          get data() {
            return JSON.parse(text) as EventData;
          },
        });
      }
      this.#fields = undefined;
      return;
    }
    if (line.startsWith(':')) {
      this.comments.push(line.slice(1).trim());
      return;
    }
    const [, name, value] = /^([a-z]+): ?(.*)$/s.exec(line) ?? [];
    if (name === 'retry' && value && /^\d+$/.test(value)) {
      this.retry = Number(value);
      return;
    }
    if (value === undefined || (name !== 'id' && name !== 'event' && name !== 'data')) {
      throw new Error(`no line of an event stream: ${JSON.stringify(line)}`);
    }
    this.#fields ??= { id: undefined, event: 'message', data: [] };
    if (name === 'data') this.#fields.data.push(value);
    else this.#fields[name] = value;
  }
}
