import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DelayedStore } from '../../edge/store/delayed-store.js';
import { SqliteStore } from '../../edge/store/sqlite-store.js';
import type { Job } from '../jobs/job.js';
import { EventLog, JobRecord } from './log.js';
import type { Bounds, Committed, Store, Tail } from './store.js';
import { type Cursor, THE_END, type Topic } from './topic.js';

const temporary = () => mkdtempSync(join(tmpdir(), 'polling-lab-log-'));
let folder: string;
let store: SqliteStore;
const open = (bounds: Partial<Bounds> = {}, wrap = (plain: Store): Store => plain) => {
  store = SqliteStore.at(folder);
  return EventLog.open(wrap(store), { events: 1_000, eventBytes: 1e6, jobs: 1_000, jobBytes: 1e6, ...bounds });
};

beforeEach(() => {
  folder = temporary();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function recordOf(jobId: string): JobRecord {
  const times = { createdAt: '', startedAt: null, finishedAt: null };
  const job = {
    jobId,
    spec: { kind: 'manual' as const },
    state: 'running' as const,
    version: 0,
    key: null,
    ...times,
  };
  return new JobRecord({ ...job, progress: 0, result: null, error: null } as Job);
}

/** Appends an event to a job, the last one if so told. */
function append(log: EventLog, record: JobRecord, last = false, data?: string): Promise<void> {
  const version = record.latest.version + 1;
  const job = { ...record.latest, version, finishedAt: last ? 'now' : null };
  return log.append(record, job, { event: last ? 'succeeded' : 'progress', data: data ?? `${version}`, at: '' });
}

/** A reader with a socket that takes only so much before it wants to drain. */
class Reader implements Cursor {
  seen = 0;
  readonly min = 1;
  readonly got: number[] = [];
  full = false;
  joined = false;

  constructor(
    private readonly log: EventLog,
    readonly topic: Topic,
    public after: number,
    private readonly piece: number,
    private readonly fillsUp: () => boolean,
  ) {}

  join(): void {
    this.joined = true;
    this.full = false;
    this.log.delivery.join(this);
  }

  leave(): void {
    this.joined = false;
    this.log.delivery.leave(this);
  }

  serve(): boolean {
    if (!this.joined) throw new Error('served after it left');
    const piece = this.topic.read(this.after, this.piece).map(({ seq }) => seq);
    this.got.push(...piece);
    this.after = piece.at(-1) ?? this.after;
    this.full = this.fillsUp();
    return !this.full;
  }

  finish(): void {}
}

/** Turns of the event loop until nothing more is delivered. */
async function quiet(readers: Reader[]): Promise<void> {
  for (let last = -1, now = 0; now !== last; ) {
    last = now;
    for (let i = 0; i < 4; i++) await turn();
    now = readers.reduce((sum, reader) => sum + reader.got.length, 0);
  }
}

type Step =
  | { do: 'append'; job: number; many: number }
  | { do: 'join'; job: number; back: number; piece: number }
  | { do: 'drop' | 'drain'; reader: number }
  | { do: 'turn' };

describe('whatever the interleaving, a reader sees each event once and in order', () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('append' as const),
        job: fc.nat(2),
        many: fc.integer({ min: 1, max: 12 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('join' as const),
        job: fc.nat(3),
        back: fc.nat(20),
        piece: fc.integer({ min: 1, max: 5 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('drop' as const, 'drain' as const),
        reader: fc.nat(20),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  );

  test.each([
    ['a store that answers at once', (plain: Store): Store => plain],
    ['a store that takes its time', (plain: Store): Store => new DelayedStore(plain)],
  ])('of appends, joins, drops, slow readers and resumes: %s', async (_, wrap) => {
    const run = async (steps: Step[], seed: number[]) => {
      const log = await open({}, wrap);
      const jobs = ['a', 'b', 'c'].map(recordOf);
      const readers: { reader: Reader; from: number }[] = [];
      let chance = 0;
      const fillsUp = () => (seed[chance++ % seed.length] ?? 0) % 3 === 0;
      for (const s of steps) {
        const one = 'reader' in s ? readers[s.reader % Math.max(1, readers.length)]?.reader : undefined;
        if (s.do === 'append') for (let i = 0; i < s.many; i++) void append(log, jobs[s.job]!);
        if (s.do === 'join') {
          const topic = jobs[s.job]?.events ?? log.all;
          const from = Math.max(0, log.all.head - s.back); // resumes somewhere in what was committed
          const reader = new Reader(log, topic, from, s.piece, fillsUp);
          readers.push({ reader, from });
          reader.join();
        }
        if (s.do === 'drop' && one?.joined) one.leave();
        if (s.do === 'drain' && one && (one.full || !one.joined)) one.join(); // drained, or back with its cursor
        if (s.do === 'turn') await turn();
      }
      while (jobs.some(({ staged }) => staged)) await log.flush();
      for (const { reader } of readers) if (!reader.joined || reader.full) reader.join();
      for (let round = 0; round < 200 && readers.some(({ reader }) => reader.after < reader.topic.head); round++) {
        await quiet(readers.map(({ reader }) => reader));
        for (const { reader } of readers) if (reader.full) reader.join();
      }
      for (const { reader, from } of readers) {
        const all = reader.topic.read(from, Number.MAX_SAFE_INTEGER).map(({ seq }) => seq);
        expect(reader.got).toEqual(all);
      }
      store.close();
      rmSync(folder, { recursive: true });
      folder = temporary();
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.array(fc.nat(), { minLength: 1, maxLength: 50 }), run),
      { numRuns: Number(process.env.SOAK ? 2_000 : 150) },
    );
    await open();
  });

  test('a whole crowd is served, a slice a turn, and a timer is not kept from its turn', async () => {
    const log = await open();
    const job = recordOf('a');
    const { events: topic } = job;
    const readers = Array.from({ length: 1_000 }, () => new Reader(log, topic, 0, 10, () => false));
    for (const reader of readers) reader.join();
    void append(log, job);
    void log.flush();
    await turn();
    const first = readers.filter(({ got }) => got.length > 0).length;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(1_000);
    void append(log, job); // those who lag get both in one piece, and nobody gets one twice
    await quiet(readers);
    for (const { got } of readers) expect(got).toEqual([1, 2]);
  });
});

describe('whoever waits is called once', () => {
  const outcome = (log: EventLog, topic: Topic, after: number, min: number, ms = 60_000) => {
    const calls: number[] = [];
    const waiter = log.delivery.wait(topic, after, min, ms, () => calls.push(topic.head));
    return { calls, abandon: () => waiter.abandon() };
  };

  test('for the end, and progress does not wake it', async () => {
    const log = await open();
    const job = recordOf('a');
    const { events: topic } = job;
    const patient = outcome(log, topic, 0, THE_END);
    await append(log, job);
    await turn();
    expect(patient.calls).toEqual([]);
    await append(log, job, true);
    await turn();
    expect(patient.calls).toEqual([2]);
  });

  test('for so many events, or the end if it comes before', async () => {
    const log = await open();
    const job = recordOf('a');
    const { events: topic } = job;
    const three = outcome(log, topic, 0, 3);
    const nine = outcome(log, topic, 0, 9);
    for (let i = 0; i < 2; i++) await append(log, job);
    await turn();
    expect(three.calls).toEqual([]);
    await append(log, job);
    await turn();
    expect([three.calls, nine.calls]).toEqual([[3], []]);
    await append(log, job, true);
    await turn();
    expect([three.calls, nine.calls]).toEqual([[3], [4]]);
  });

  test('when the time is up; and not at all when it has left', async () => {
    const log = await open();
    const job = recordOf('a');
    const { events: topic } = job;
    const gone = outcome(log, topic, 0, 1);
    gone.abandon();
    await new Promise<void>((resolve) => log.delivery.wait(topic, 0, 1, 1, resolve));
    await append(log, job);
    await turn();
    expect(gone.calls).toEqual([]);
  });
});

test('readers of a long log, who come back for more immediately, hold up nobody', async () => {
  const log = await open();
  const [old, job] = [recordOf('a'), recordOf('b')];
  await append(log, old);
  let pieces = 0;
  const serve = () => {
    for (const until = performance.now() + 1; performance.now() < until; ); // a large piece
    return ++pieces > 0;
  };
  const reader = { ...{ topic: old.events, after: 0, min: 1, seen: 0 }, serve, finish: () => {} };
  const readers = Array.from({ length: 1_000 }, () => ({ ...reader }));
  for (const reader of readers) log.delivery.join(reader);
  const news: number[] = [];
  log.delivery.wait(job.events, 0, 1, 60_000, () => news.push(pieces));
  const committed = append(log, job);
  await turn();
  await committed;
  const before = pieces;
  await turn();
  for (const reader of readers) log.delivery.leave(reader);
  expect(news).toHaveLength(1);
  // They go on, too, but no turn is long: 256 of them would take 256 ms.
  expect(pieces).toBeGreaterThan(before);
  expect(pieces - before).toBeLessThan(10);
});

describe('nothing is told before it is committed', () => {
  test('events of one turn are committed together', async () => {
    const log = await open();
    const job = recordOf('a');
    const { events: topic } = job;
    const commit = vi.spyOn(store, 'commit');
    const commits = [append(log, job), append(log, job), append(log, job)];
    expect(topic.held).toBe(0);
    await Promise.all(commits);
    expect(topic.held).toBe(3);
    expect(commit).toHaveBeenCalledOnce();
  });

  test('a commit that fails undoes all of it, and says so', async () => {
    const log = await open();
    const job = recordOf('a');
    await append(log, job);
    const before = job.job;
    vi.spyOn(store, 'commit').mockImplementation(() => {
      throw new Error('disk is full');
    });
    await expect(append(log, job)).rejects.toThrow(/cannot be written/);
    expect(job.job).toEqual(before);
    expect(log.all.head).toBe(1);
    await expect(append(log, recordOf('b'))).rejects.toThrow(/cannot be written/);
    expect(log.find('b')).toBeUndefined();
  });
});

describe('a store that other servers write to', () => {
  /** Holds nothing; the test is the other servers. */
  class SharedStore implements Store {
    readonly name = 'shared00';
    tail: Tail = () => {};
    answer = () => {};
    asked = 0;

    async open(_: Bounds, tail: Tail) {
      this.tail = tail;
      return { events: [], jobs: [], trimmed: 0 };
    }

    async commit(): Promise<undefined> {
      throw new Error('it is away');
    }

    fresh(): Promise<void> {
      this.asked += 1;
      return new Promise((resolve) => {
        this.answer = resolve;
      });
    }

    close(): void {}
  }

  const byOthers = (seq: number): Committed => ({
    event: { seq, prev: seq - 1, jobId: 'a', event: 'progress', data: '{}', at: '' },
    job: { ...recordOf('a').job, version: seq },
  });

  test('is read when this log has caught up, and asked once for all readers of a turn', async () => {
    await open(); // closed after the test
    const shared = new SharedStore();
    const log = await EventLog.open(shared, { events: 10, eventBytes: 1e6, jobs: 10, jobBytes: 1e6 });
    let fresh = false;
    const readers = Promise.all([log.fresh(), log.fresh(), log.fresh()]).then(() => {
      fresh = true;
    });
    shared.tail([byOthers(1)]);
    for (let n = 0; n < 5; n++) await turn();
    expect(fresh).toBe(false);
    shared.tail([byOthers(2)]);
    shared.answer();
    await readers;
    expect(log.find('a')?.job.version).toBe(2);
    expect(
      log
        .find('a')
        ?.events.read(0, 9)
        .map(({ seq }) => seq),
    ).toEqual([1, 2]);
    expect(shared.asked).toBe(1);
  });

  test('wakes who waits here for what was committed there; and what it does not take is undone', async () => {
    await open();
    const shared = new SharedStore();
    const log = await EventLog.open(shared, { events: 10, eventBytes: 1e6, jobs: 10, jobBytes: 1e6 });
    const woken = new Promise<void>((resolve) => log.delivery.wait(log.all, 0, 1, 60_000, resolve));
    shared.tail([byOthers(1)]);
    await woken;
    const record = log.find('a') as JobRecord;
    const first = append(log, record);
    await turn();
    const onTopOfIt = append(log, record);
    await expect(first).rejects.toThrow(/it is away/);
    await expect(onTopOfIt).rejects.toThrow(/it is away/);
    expect([record.job.version, record.staged]).toEqual([1, null]);
  });
});

describe('what is held is bounded', () => {
  test('the oldest events go, from the job and from all; and it is known after a restart', async () => {
    let log = await open({ events: 4 });
    const job = recordOf('a');
    const { events: topic } = job;
    for (let i = 0; i < 10; i++) await append(log, job);
    expect([log.all.held, log.all.trimmed, topic.held, topic.trimmed]).toEqual([4, 6, 4, 6]);
    await append(log, job); // what was trimmed is dropped with the next commit
    store.close();
    // SQLite lets go of a file when its process ends, or its last statement is collected: the copy is nobody's.
    const copy = temporary();
    cpSync(folder, copy, { recursive: true });
    rmSync(folder, { recursive: true });
    folder = copy;
    log = await open({ events: 4 });
    const again = log.find('a')!.events;
    expect([again.held, again.trimmed, again.head]).toEqual([4, 7, 11]);
    expect(again.read(0, 99).map(({ seq }) => seq)).toEqual([8, 9, 10, 11]);
  });
});
