/**
 * The clients that notebook 06 teaches; `clients.test.ts` tries them on a bad network. Each region is the cell of that
 * notebook with the same id, word for word but for `export`; `lessons.test.ts` holds them equal.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { NOT_NOW, Refusal, retryAfterMs } from './a-job-and-its-id.js';
import { isFinal, type Listening, type Place, readStream, type StreamEvent } from './server-sent-events.js';
import type { Client } from './short-polling.js';

// The notebook: 06-what-breaks-a-stream.ipynb

// #region read-resumed
export type Resuming = Listening & { tries?: number };

export async function* readResumed(client: Client, streamUrl: string, how: Resuming = {}): AsyncGenerator<StreamEvent> {
  const { tries = 6, place = { id: '', retryMs: 3_000 }, signal } = how;
  for (let failures = 0; ; ) {
    let pauseMs = Math.max(place.retryMs, 100);
    try {
      for await (const event of readStream(client, streamUrl, { ...how, place })) {
        failures = 0;
        yield event;
      }
    } catch (error) {
      signal?.throwIfAborted(); // the caller stopped it: that is no failure
      const answer = error instanceof Refusal ? error.answer : null;
      if (answer?.status === 204) return;
      failures += 1;
      if ((answer && !NOT_NOW.includes(answer.status)) || failures === tries) throw error;
      pauseMs = Math.min(pauseMs * 2 ** (failures - 1), 30_000);
      if (answer) pauseMs = retryAfterMs(answer.headers, pauseMs);
    }
    await sleep(pauseMs * (1 + Math.random() / 2), undefined, { signal });
  }
}
// #endregion

// #region keep
export interface Kept {
  load(): Promise<string>;
  save(cursor: string): Promise<void>;
}
export type Handle = (event: StreamEvent) => Promise<void>;

export async function keepReading(client: Client, streamUrl: string, kept: Kept, handle: Handle, signal?: AbortSignal) {
  const place: Place = { id: await kept.load(), retryMs: 3_000 };
  for await (const event of readResumed(client, streamUrl, { place, signal })) {
    await handle(event);
    await kept.save(event.id); // only now: it has been handled
    if (isFinal(event.event)) return;
  }
}
// #endregion

// #region stay-open
export type Open = (cursor: string) => EventSource;

export function stayOpen(open: Open, names: string[], onEvent: (event: MessageEvent) => void, cursor = ''): () => void {
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let source: EventSource;
  const begin = () => {
    source = open(cursor);
    source.addEventListener('open', () => {
      failures = 0;
    });
    for (const name of names) {
      source.addEventListener(name, (event) => {
        onEvent(event);
        cursor = event.lastEventId; // only now: it has been handled
      });
    }
    source.addEventListener('error', () => {
      if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
      const pauseMs = Math.min(500 * 2 ** failures, 30_000);
      failures += 1;
      timer = setTimeout(begin, pauseMs * (1 + Math.random() / 2));
    });
  };
  begin();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
// #endregion
