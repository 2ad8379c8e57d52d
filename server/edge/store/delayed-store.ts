import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bounds, Change, Contents, Dropped, Store, Tail } from '../../core/log/store.js';

/** A store as one on another machine is: each answer takes some turns of the event loop. For tests. */
export class DelayedStore implements Store {
  constructor(private readonly store: Store) {}

  get name(): string {
    return this.store.name;
  }

  async open(bounds: Bounds, tail: Tail): Promise<Contents> {
    await nextTurn();
    return this.store.open(bounds, tail);
  }

  async commit(changes: readonly Change[], dropped: Dropped): Promise<undefined> {
    await nextTurn();
    await this.store.commit(changes, dropped);
    await nextTurn();
  }

  async fresh(): Promise<void> {
    await nextTurn();
  }

  async close(): Promise<void> {
    await this.store.close();
  }
}
