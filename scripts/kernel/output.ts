// All output of the cells, on its way to the front: in order, each piece under the cell that caused it.
import { StringDecoder } from 'node:string_decoder';
import type { Worker } from 'node:worker_threads';
import type { DisplayWriter, MimeBundle } from './display.js';
import { MAX_PENDING, Shared, type ToFront } from './link.js';
import type { Content, Header } from './protocol.js';
import { checkPlot } from './vega-lite.js';

type StreamName = 'stdout' | 'stderr';

export class Output {
  private readonly post: (message: ToFront) => void;
  private name: StreamName | undefined;
  private owner: Header | undefined;

  /** `current` says whose output it is now. */
  constructor(
    front: Worker,
    private readonly shared: Int32Array,
    private readonly current: () => Header | undefined,
  ) {
    this.post = front.postMessage.bind(front);
  }

  /** Makes `process.stdout`, `process.stderr` (and so `console`) write to the cell. */
  capture(): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = process[name];
      const decoder = new StringDecoder('utf8');
      // Where Jupyter was started from must not change what a cell shows.
      Object.defineProperty(stream, 'isTTY', { value: false });
      stream.write = ((chunk: string | Uint8Array, encoding?: BufferEncoding | (() => void), callback?: () => void) => {
        const isText = typeof chunk === 'string' && (typeof encoding !== 'string' || /^utf-?8$/i.test(encoding));
        this.write(name, isText ? chunk : decoder.write(Buffer.from(chunk as string, encoding as BufferEncoding)));
        const written = typeof encoding === 'function' ? encoding : callback;
        if (written) queueMicrotask(() => written());
        return true;
      }) as typeof stream.write;
    }
  }

  private write(name: StreamName, text: string): void {
    if (text === '') return;
    const owner = this.current();
    if (owner !== this.owner || name !== this.name) {
      this.owner = owner;
      this.name = name;
      this.post({ kind: 'stream', parent: owner, name });
    }
    // Each piece at once, for the cell may never yield again; the front gathers them.
    this.send(text, text.length);
  }

  /** A display, an error or a result. */
  publish(type: string, content: Content, owner = this.current()): void {
    const size = sizeOf(content);
    this.send({ kind: 'publish', type, parent: owner, content, size }, size);
  }

  readonly display: DisplayWriter = (bundle, { displayId, update = false, metadata = {} } = {}) => {
    if (update && !displayId) {
      throw new TypeError('display: expected a displayId to update, got none. Pass { displayId, update: true }.');
    }
    this.publish(update ? 'update_display_data' : 'display_data', {
      data: encodeBundle(bundle),
      metadata,
      transient: displayId ? { display_id: displayId } : {},
    });
  };

  private send(message: ToFront, size: number): void {
    Atomics.add(this.shared, Shared.pending, size);
    this.post(message);
    // The front sends while this thread sleeps. Short sleeps: an interrupt must get in between.
    for (;;) {
      const pending = Atomics.load(this.shared, Shared.pending);
      if (pending <= MAX_PENDING) break;
      Atomics.wait(this.shared, Shared.pending, pending, 100);
    }
  }
}

/** About how much memory a display takes on its way: its strings. */
function sizeOf(content: Content): number {
  let size = 0;
  JSON.stringify(content, (_, value) => {
    if (typeof value === 'string') size += value.length;
    return value;
  });
  return size;
}

/**
 * Binary MIME types travel as base64 in JSON.
 * https://jupyter-client.readthedocs.io/en/stable/messaging.html#display-data
 */
export function encodeBundle(bundle: MimeBundle): Content {
  const data: Content = {};
  for (const [type, value] of Object.entries(bundle)) {
    if (value instanceof Uint8Array) data[type] = Buffer.from(value).toString('base64');
    // Through JSON at once: what the cell changes later must not change what it showed.
    else data[type] = typeof value === 'string' ? value : JSON.parse(JSON.stringify(value));
  }
  return data;
}

/**
 * Parses the values that tslab's `display.raw` got as text under a JSON type: Jupyter's protocol requires the parsed value, and
 * JupyterLab takes the text of a chart for the URL of one.
 *
 * @throws TypeError if the text is not JSON, or for what is wrong with a Vega-Lite plot ({@link checkPlot})
 */
export function decodeJson(data: Content): Content {
  const decode = (type: string, value: unknown) => {
    if (typeof value !== 'string' || !/[/+]json$/.test(type)) return value;
    try {
      return JSON.parse(value);
    } catch (error) {
      const start = JSON.stringify(value.slice(0, 40));
      throw new TypeError(
        `display: expected JSON for ${type}, got ${start} (${(error as Error).message}). Pass JSON.stringify(value).`,
      );
    }
  };
  const decoded = Object.entries(data).map(([type, value]) => [type, decode(type, value)] as const);
  for (const [type, value] of decoded) if (/^application\/vnd\.vegalite\./.test(type)) checkPlot(value);
  return Object.fromEntries(decoded);
}
