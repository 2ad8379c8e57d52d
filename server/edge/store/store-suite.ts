import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Job } from '../../core/jobs/job.js';
import {
  type Bounds,
  type Change,
  type Committed,
  type Contents,
  type Dropped,
  type Store,
  StoreError,
} from '../../core/log/store.js';

/** A place where a store keeps what is written, and how the tests reach it. */
export interface Place {
  /** Another store on the same place. */
  store(): Store | Promise<Store>;
  /** Ends a store as a kill of its process does: nothing more is written. */
  crash(store: Store): void | Promise<void>;
  remove(): void | Promise<void>;
}

const WIDE: Bounds = { events: 1_000, eventBytes: 1e7, jobs: 1_000, jobBytes: 1e7 };
const NONE: Dropped = { jobs: [], events: 0 };

/**
 * What every store must do, whichever engine it stands on: the log relies on each of these.
 * @param shared - whether several servers may open it at a time
 */
export function storeSuite(engine: string, make: () => Place | Promise<Place>, { shared = false } = {}): void {
  describe(`a store: ${engine}`, () => {
    let place: Place;
    let store: Store;
    let told: Committed[];
    let contents: Contents;
    /** The positions of each job's first and newest event, as the log knows them. */
    let positions: Map<string, { first: number; last: number }>;

    async function open(bounds: Bounds = WIDE): Promise<Contents> {
      store = await place.store();
      told = [];
      contents = await store.open(bounds, (committed) => {
        told.push(...committed);
        for (const { event } of committed) {
          const first = positions.get(event.jobId)?.first ?? event.seq;
          positions.set(event.jobId, { first, last: event.seq });
        }
      });
      positions = new Map(contents.jobs.map(({ job, first, last }) => [job.jobId, { first, last }]));
      return contents;
    }
    const again = async (bounds?: Bounds) => {
      await store.close();
      return open(bounds);
    };

    beforeEach(async () => {
      place = await make();
      positions = new Map();
      await open();
    });
    afterEach(async () => {
      await store.close();
      await place.remove();
    });

    function change(jobId: string, version: number, patch: Partial<Job> = {}, data = `{"version":${version}}`): Change {
      const job: Job = {
        ...{
          jobId,
          spec: { kind: 'manual' },
          state: 'running',
          progress: 0,
          version,
          createdAt: 'then',
          startedAt: null,
        },
        ...{ finishedAt: null, result: null, error: null, key: null, ...patch },
      };
      const event = { jobId, event: job.finishedAt === null ? 'progress' : 'succeeded', data, at: 'now' } as const;
      return { event, job, first: 0, last: 0, ...positions.get(jobId) };
    }
    const commit = (changes: Change[], dropped = NONE) => store.commit(changes, dropped);
    const finished = (jobId: string, result = '1') =>
      change(jobId, 1, { state: 'succeeded', finishedAt: 'now', result });

    test('is empty at first, and its name is of the shape that event ids take', async () => {
      expect(contents).toEqual({ events: [], jobs: [], trimmed: 0 });
      expect(store.name).toMatch(/^[a-z0-9]{8}$/);
    });

    test('numbers the events without holes, and tells each commit, in order, before it resolves', async () => {
      await commit([change('a', 1), change('b', 1), change('a', 2)]);
      await commit([change('b', 2)]);
      expect(told.map(({ event }) => [event.seq, event.jobId, event.prev])).toEqual([
        [1, 'a', 0],
        [2, 'b', 0],
        [3, 'a', 1],
        [4, 'b', 2],
      ]);
      expect(told.map(({ job }) => job.version)).toEqual([1, 1, 2, 2]);
    });

    test.each(['closed', 'crashed'])('holds what was committed when it is opened again, %s', async (end) => {
      const name = store.name;
      const key = { name: 'k', fingerprint: 'f' };
      await commit([change('a', 1, { key }), change('a', 2, { key, progress: 0.5 }), finished('b', '{"ü":"日本 🎬"}')]);
      const events = told.map(({ event }) => event);
      if (end === 'crashed') await place.crash(store);
      else await store.close();
      await open();
      expect(store.name).toBe(name);
      expect(contents.events).toEqual(events);
      expect(contents.trimmed).toBe(0);
      const byId = Object.fromEntries(contents.jobs.map((stored) => [stored.job.jobId, stored]));
      expect(byId.a).toEqual({ job: change('a', 2, { key, progress: 0.5 }).job, first: 1, last: 2 });
      expect(byId.b).toEqual({ job: finished('b', '{"ü":"日本 🎬"}').job, first: 3, last: 3 });
      // And it goes on with the next position.
      await commit([change('a', 3, { key })]);
      expect(told.map(({ event }) => [event.seq, event.prev])).toEqual([[4, 2]]);
    });

    test('writes all of a commit or nothing of it, and gives the positions of a failed one again', async () => {
      await commit([change('a', 1)]);
      // What cannot be written is noticed when a part of it is on its way.
      const unwritable = { progress: 1n as unknown as number };
      await expect((async () => commit([change('a', 2), change('b', 1, unwritable)]))()).rejects.toThrow();
      await store.fresh?.();
      expect(told).toHaveLength(1);
      await commit([change('c', 1)]);
      const { events, jobs } = await again();
      expect(events.map(({ seq, jobId }) => [seq, jobId])).toEqual([
        [1, 'a'],
        [2, 'c'],
      ]);
      expect(jobs.map(({ job }) => [job.jobId, job.version]).sort()).toEqual([
        ['a', 1],
        ['c', 1],
      ]);
    });

    test('lets go what a commit drops', async () => {
      await commit([finished('a'), change('b', 1), change('b', 2)]);
      await commit([change('c', 1)], { jobs: [{ jobId: 'a', first: 1 }], events: 2 });
      const { events, jobs, trimmed } = await again();
      expect(events.map(({ seq, prev }) => [seq, prev])).toEqual([
        [3, 2],
        [4, 0],
      ]);
      expect(jobs.map(({ job }) => job.jobId).sort()).toEqual(['b', 'c']);
      expect(trimmed).toBe(2);
    });

    test('gives no position again when all events were let go', async () => {
      await commit([change('a', 1), change('a', 2)]);
      await commit([finished('b')], { jobs: [], events: 2 });
      await commit([change('c', 1)], { jobs: [{ jobId: 'b', first: 3 }], events: 3 });
      expect((await again()).trimmed).toBe(3);
      await commit([change('a', 3)]);
      expect(told.map(({ event }) => [event.seq, event.prev])).toEqual([[5, 2]]);
    });

    test('opens with the newest that the bounds allow, in number and in bytes, and lets the rest go for good', async () => {
      const large = 'x'.repeat(10_000);
      for (let n = 0; n < 20; n++) await commit([finished(`job-${n}`, JSON.stringify(large))]);
      await commit([change('unfinished', 1)]);
      const byNumber = await again({ ...WIDE, events: 5, jobs: 3 });
      expect(byNumber.events.map(({ seq }) => seq)).toEqual([17, 18, 19, 20, 21]);
      expect(byNumber.trimmed).toBe(16);
      expect(byNumber.jobs.map(({ job }) => job.jobId).sort()).toEqual(['job-17', 'job-18', 'job-19', 'unfinished']);
      const byBytes = await again({ ...WIDE, jobBytes: 25_000 });
      expect(byBytes.jobs.map(({ job }) => job.jobId).sort()).toEqual(['job-18', 'job-19', 'unfinished']);
      expect(byBytes.events.map(({ seq }) => seq)).toEqual([17, 18, 19, 20, 21]);
      for (let n = 0; n < 10; n++) await commit([change('unfinished', 2 + n, {}, JSON.stringify(large))]);
      const some = await again({ ...WIDE, eventBytes: 45_000 });
      expect(some.events.length).toBe(4);
      expect(some.trimmed).toBe(some.events[0]!.seq - 1);
      // The newest stay, however large they are.
      const newest = await again({ ...WIDE, eventBytes: 1, jobBytes: 1 });
      expect(newest.events.map(({ seq }) => seq)).toEqual([31]);
      expect(newest.jobs.map(({ job }) => job.jobId).sort()).toEqual(['job-19', 'unfinished']);
    });

    if (shared) return; // it is opened by several servers
    test('refuses to be opened twice at once, in a sentence that says what to do', async () => {
      const second = async () => {
        const other = await place.store();
        await other.open(WIDE, () => {});
      };
      await expect(second()).rejects.toThrow(StoreError);
    });
  });
}
