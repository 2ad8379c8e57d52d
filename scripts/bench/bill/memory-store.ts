import type { Change, Committed, Contents, Store, Tail } from '../../../server/core/log/store.js';
import type { SqliteStore as KeptStore } from '../../../server/edge/store/sqlite-store.js';

/** Stands in the store's place: numbers the events, and writes nothing. All is gone when the process ends. */
class MemoryStore implements Store {
  readonly name = 'inmemory';
  private newest = 0;
  private tail: Tail = () => {};

  open(_: unknown, tail: Tail): Contents {
    this.tail = tail;
    return { events: [], jobs: [], trimmed: 0 };
  }

  commit(changes: readonly Change[]): undefined {
    const committed: Committed[] = [];
    const latest = new Map<string, number>();
    for (const { event, job, last } of changes) {
      const seq = ++this.newest;
      const prev = latest.get(event.jobId) ?? last;
      latest.set(event.jobId, seq);
      committed.push({ event: { ...event, seq, prev }, job });
    }
    this.tail(committed);
  }

  close(): void {}
}

export const SqliteStore: { at(...folder: Parameters<typeof KeptStore.at>): Store } = { at: () => new MemoryStore() };
