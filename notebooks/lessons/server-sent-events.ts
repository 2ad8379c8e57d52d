/**
 * What notebook 05 teaches and later notebooks use again. Each region is the cell of that notebook with the
 * same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { ReadableStream } from 'node:stream/web';
import type { FetchLike } from 'eventsource';
import type { Job } from '../instruments/job.js';
import { jsonOf, Refusal, sendOnce } from './a-job-and-its-id.js';
import type { Client } from './short-polling.js';

// The notebook: 05-server-sent-events.ipynb

// #region submit
// Submits a job, as in the notebook on jobs.
export async function submit(client: Client, jobsUrl: string, task: object): Promise<Job> {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await sendOnce(client, jobsUrl, { method: 'POST', headers, body: JSON.stringify(task) });
  if (answer.status !== 202) throw new Refusal(answer);
  return jsonOf<Job>(answer);
}

export const simulated = (durationMs: number, steps: number) => ({ kind: 'simulated', durationMs, steps });
// #endregion

// #region lines-of
export type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export async function* linesOf(body: Bytes): AsyncIterable<string> {
  const decoder = new TextDecoder(); // it drops the byte order mark
  let [rest, afterCr] = ['', false];
  for await (const bytes of body) {
    const piece = decoder.decode(bytes, { stream: true });
    // A CR ends its line immediately. If it ended a piece, an LF that begins the next piece is part of its CRLF.
    const lines = (rest + (afterCr ? piece.replace(/^\n/, '') : piece)).split(/\r\n|\n|\r/);
    if (piece !== '') afterCr = piece.endsWith('\r');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
// #endregion

// #region stream-event
export interface StreamEvent {
  event: string;
  data: string;
  id: string;
}
export interface Place {
  id: string;
  retryMs: number;
}
// #endregion

// #region read-events
export async function* readEvents(body: Bytes, place: Place = { id: '', retryMs: 3_000 }): AsyncGenerator<StreamEvent> {
  let [event, data, id] = ['', [] as string[], place.id];
  for await (const line of linesOf(body)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) as unknown as [string, string, string];
    if (field === 'data') data.push(value);
    if (field === 'event') event = value;
    if (field === 'id' && !value.includes('\0')) id = value;
    if (field === 'retry' && /^\d+$/.test(value)) place.retryMs = Number(value);
    if (line !== '') continue;
    place.id = id;
    if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), id };
    [event, data] = ['', []];
  }
}
// #endregion

// #region read-stream
export interface Listening {
  place?: Place;
  silenceMs?: number; // after this long without a byte, the connection is dead
  signal?: AbortSignal | undefined; // the caller's
}

export async function* readStream(client: Client, streamUrl: string, how: Listening = {}): AsyncGenerator<StreamEvent> {
  const { place = { id: '', retryMs: 3_000 }, silenceMs = 45_000, signal } = how;
  signal?.throwIfAborted();
  const either = new AbortController(); // too much silence, or the caller
  const stop = () => either.abort();
  let timer = setTimeout(stop, silenceMs);
  signal?.addEventListener('abort', stop);
  const timed = async function* (body: Bytes) {
    for await (const bytes of body) {
      clearTimeout(timer); // the time that the caller takes is not silence
      yield bytes;
      timer = setTimeout(stop, silenceMs);
    }
  };
  try {
    const headers = { Accept: 'text/event-stream', ...(place.id && { 'Last-Event-ID': place.id }) };
    const response = await client(streamUrl, { headers, signal: either.signal });
    const { status, headers: got } = response;
    const body = (response.body ?? []) as Bytes;
    const [type = ''] = (got.get('Content-Type') ?? '').split(';'); // without its parameters
    if (status !== 200 || type.trim().toLowerCase() !== 'text/event-stream') {
      let text = '';
      for await (const bytes of body) {
        text += Buffer.from(bytes);
        if (text.length >= 1_000) break; // this body may never end
      }
      throw new Refusal({ status, headers: got, text });
    }
    yield* readEvents(timed(body), place);
  } catch (error) {
    signal?.throwIfAborted();
    throw either.signal.aborted ? new Error(`Not a byte for ${silenceMs} ms.`, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

export const isFinal = (event: string) => ['succeeded', 'failed', 'cancelled'].includes(event);
// #endregion

// #region adapter
// Gives an EventSource our fetch. Readable.toWeb() would hide a broken connection from it.
export const over =
  (client: Client): FetchLike =>
  async (input, { headers, signal }) => {
    const response = await client(String(input), { headers, signal });
    const { status, redirected, headers: got } = response;
    const body = ReadableStream.from(response.body as AsyncIterable<Uint8Array>);
    return { status, redirected, url: response.url, headers: got, body };
  };
// #endregion
