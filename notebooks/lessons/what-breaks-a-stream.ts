/**
 * The clients that notebook 06 teaches; `clients.test.ts` tries them on a bad network. Each region is the cell of that
 * notebook with the same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { type Answer, NOT_NOW, Refusal, retryAfterMs } from './a-job-and-its-id.js';
import { isFinal, type Listening, type Place, readStream, type StreamEvent } from './server-sent-events.js';
import type { Client } from './short-polling.js';

// The notebook: 06-what-breaks-a-stream.ipynb

// #region read-resumed
export type Resuming = Listening & { tries?: number }; // failures in a row, then it throws

export async function* readResumed(client: Client, streamUrl: string, how: Resuming = {}): AsyncGenerator<StreamEvent> {
  const { tries = 6, place = { id: '', retryMs: 3_000 }, signal } = how;
  let failures = 0; // connections in a row that broke or were refused
  for (let eventless = 0; ; ) {
    const beganAt = performance.now();
    let answer: Answer | null = null;
    eventless += 1; // connections in a row that brought no event
    try {
      for await (const event of readStream(client, streamUrl, { ...how, place })) {
        failures = eventless = 0;
        yield event;
      }
    } catch (error) {
      signal?.throwIfAborted(); // the caller stopped it: that is no failure
      if (error instanceof Refusal) answer = error.answer;
      if (answer?.status === 204) return;
      // A connection that lasted for a minute was a good one.
      failures = performance.now() - beganAt > 60_000 ? 1 : failures + 1;
      if ((answer && !NOT_NOW.includes(answer.status)) || failures >= tries) throw error;
    }
    // From 100 ms to a day: a timer of more than 24 days would fire immediately.
    const retryMs = Math.min(Math.max(place.retryMs, 100), 86_400_000);
    const backOffMs = Math.min(retryMs * 2 ** Math.max(eventless - 1, 0), 30_000); // from one start to the next
    const restMs = Math.max(retryMs, backOffMs - (performance.now() - beganAt)); // what is left of it
    const pauseMs = answer ? retryAfterMs(answer.headers, restMs) : restMs;
    await sleep(pauseMs * (1 + Math.random() / 2), undefined, { signal });
  }
}
// #endregion

// #region keep
export interface CursorStore {
  load(): Promise<string>;
  save(cursor: string): Promise<void>;
}
export type Handle = (event: StreamEvent) => Promise<void>;

export async function keepReading(
  client: Client,
  streamUrl: string,
  store: CursorStore,
  handle: Handle,
  signal?: AbortSignal,
) {
  const place: Place = { id: await store.load(), retryMs: 3_000 };
  for await (const event of readResumed(client, streamUrl, { place, signal })) {
    await handle(event);
    await store.save(event.id); // only now: it has been handled
    if (isFinal(event.event)) return;
  }
}
// #endregion

// #region stay-open
export interface Staying {
  open(cursor: string): EventSource;
  ask(cursor: string): Promise<Answer>; // the same request by fetch, which shows the status
  names: string[];
  onEvent(event: MessageEvent): void;
  tries?: number; // failures in a row, then it throws
  signal?: AbortSignal;
}

export async function stayOpen(how: Staying, cursor = ''): Promise<void> {
  const { open, ask, names, onEvent, tries = 6, signal } = how;
  for (let failures = 0; ; ) {
    signal?.throwIfAborted();
    const source = open(cursor);
    let stop = () => {};
    try {
      const ended = await new Promise<boolean>((resolve, reject) => {
        stop = () => reject(signal?.reason);
        signal?.addEventListener('abort', stop);
        const handle = (event: MessageEvent) => {
          if (source.readyState === EventSource.CLOSED) return; // an earlier event was not handled
          try {
            onEvent(event);
            if (event.lastEventId) cursor = event.lastEventId; // only now: it has been handled
            if (isFinal(event.type)) resolve(true);
          } catch (error) {
            source.close();
            reject(error);
          }
        };
        for (const name of names) source.addEventListener(name, handle);
        source.addEventListener('open', () => {
          failures = 0;
        });
        source.addEventListener('error', () => {
          if (source.readyState === EventSource.CLOSED) resolve(false); // else it comes back by itself
        });
      });
      if (ended) return; // false: the source has closed for good
    } finally {
      signal?.removeEventListener('abort', stop);
      source.close();
    }
    const answer = await ask(cursor).catch(() => null);
    if (answer?.status === 204) return; // nothing more will come
    failures += 1;
    const final = answer && answer.status >= 400 && !NOT_NOW.includes(answer.status);
    if (final || failures >= tries)
      throw answer ? new Refusal(answer) : new Error(`No answer, ${failures} times in a row.`);
    const backOffMs = Math.min(500 * 2 ** (failures - 1), 30_000);
    const pauseMs = answer ? retryAfterMs(answer.headers, backOffMs) : backOffMs;
    await sleep(pauseMs * (1 + Math.random() / 2), undefined, { signal });
  }
}
// #endregion
