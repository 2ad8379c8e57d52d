import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bounds, Change, Contents, Dropped, Store, Tail } from '../../core/log/store.js';

/** A store as one on another machine is: each answer takes some turns of the event loop. For tests. */
export class DelayedStore implements Store {
  private newest = 0;

  constructor(private readonly store: Store) {}

  get name(): string {
    return this.store.name;
  }

  async open(bounds: Bounds, tail: Tail): Promise<Contents> {
    await nextTurn();
    const contents = await this.store.open(bounds, (committed) => {
      this.newest += committed.length;
      tail(committed);
    });
    this.newest = contents.events.at(-1)?.seq ?? contents.trimmed;
    return contents;
  }

  async commit(changes: readonly Change[], dropped: Dropped): Promise<void> {
    await nextTurn();
    await this.store.commit(changes, dropped);
    await nextTurn();
  }

  async head(): Promise<number> {
    await nextTurn();
    return this.newest;
  }

  async close(): Promise<void> {
    await this.store.close();
  }
}
