import { describe, expect, it } from 'vitest';
import { Clock, type Process } from './clock.js';
import { eventStream, type Inputs, longPoll, type Run, shortPoll, simulate } from './index.js';

/** A job of one second that changes at its beginning, in the middle and at its end, on a network and a server without delay. */
const ideal: Inputs = {
  clients: 10,
  beginWithinMs: 0,
  changesAt: [0, 500, 1_000],
  roundTripMs: 0,
  workMs: 0,
  intervalMs: 200,
  waitMs: 25_000,
};
const late = ({ toldAt, doneAt }: Run) => [...toldAt].map((at) => at - doneAt);

describe('the clock', () => {
  it('lets processes go on in the order of their times, and in the same one each time', () => {
    const clock = new Clock();
    const went: string[] = [];
    function* process(name: string, pauses: number[]): Process {
      for (const ms of pauses) {
        yield ms;
        went.push(`${name} ${clock.now}`);
      }
    }
    const ends = clock.run([process('a', [3, 4]), process('b', [1, 2, 4]), process('c', [5])], (i) => i);
    expect(went).toEqual(['b 2', 'a 3', 'b 4', 'c 7', 'a 7', 'b 8']);
    expect([...ends]).toEqual([7, 8, 7]);
  });

  it('sorts the times of many', () => {
    const clock = new Clock();
    const went: number[] = [];
    function* process(ms: number): Process {
      yield ms;
      went.push(clock.now);
    }
    const times = Array.from({ length: 1_000 }, (_, i) => (i * 617) % 1_000);
    clock.run(times.map(process), () => 0);
    expect(went).toEqual([...times].sort((a, b) => a - b));
  });

  it.each([Number.NaN, -1])('refuses a wait of %d ms', (ms) => {
    function* process(): Process {
      yield ms;
    }
    expect(() => new Clock().run([process()], () => 0)).toThrow(/0 ms or more, got/);
  });
});

describe('short polling', () => {
  it.each([200, 300, 999, 1_000, 5_000])('asks as often as the formula says, every %d ms', (intervalMs) => {
    const run = simulate(shortPoll, { ...ideal, intervalMs });
    expect(run.sentAt.length).toBe(10 * (Math.ceil(1_000 / intervalMs) + 1));
  });

  it('is late by half an interval on average, and by less than a whole one', () => {
    const lates = late(simulate(shortPoll, { ...ideal, clients: 1_000, beginWithinMs: 200 }));
    expect(lates.reduce((sum, ms) => sum + ms, 0) / lates.length).toBeCloseTo(100, 0);
    expect(Math.min(...lates)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...lates)).toBeLessThan(200);
  });

  it('is as late as a round of the crowd, where the server is busy', () => {
    const lates = late(simulate(shortPoll, { ...ideal, clients: 1_000, workMs: 1 }));
    expect(Math.max(...lates)).toBeGreaterThan(900);
    expect(Math.max(...lates)).toBeLessThanOrEqual(1_000 + 200);
  });
});

describe('long polling', () => {
  it.each([25_000, 1_000, 400, 300])('asks as often as the formula says, with a wait of %d ms', (waitMs) => {
    const run = simulate(longPoll, { ...ideal, waitMs });
    expect(run.sentAt.length).toBe(10 * Math.ceil(1_000 / waitMs));
    expect(late(run)).toEqual(Array(10).fill(0));
  });

  it('answers one client after the other, and each answer travels', () => {
    const lates = late(simulate(longPoll, { ...ideal, clients: 3, workMs: 2, roundTripMs: 10 }));
    expect(lates).toEqual([2 + 5, 4 + 5, 6 + 5]);
  });
});

describe('an event stream', () => {
  it('takes one request, and the server writes each change to each client', () => {
    const run = simulate(eventStream, { ...ideal, workMs: 1 });
    expect(run.sentAt.length).toBe(10);
    expect(run.works).toBe(10 * (1 + 3));
    expect(late(run)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('writes several events at once where the server is behind, and omits none', () => {
    const run = simulate(eventStream, { ...ideal, clients: 100, workMs: 20 });
    expect(run.works).toBe(100 * (1 + 3));
    expect(Math.max(...run.toldAt)).toBe(100 * (1 + 3) * 20);
  });
});

it('has the same run for the same inputs', () => {
  const busy = { ...ideal, clients: 500, beginWithinMs: 300, roundTripMs: 3, workMs: 0.7 };
  expect(simulate(shortPoll, busy)).toEqual(simulate(shortPoll, busy));
});

it.each<[string, Partial<Inputs>, RegExp]>([
  ['no clients', { clients: 0 }, /clients from 1 to \d+, got 0/],
  ['half a client', { clients: 1.5 }, /got 1.5/],
  ['more clients than fit', { clients: 1e9 }, /got 1000000000/],
  ['a job that never changes', { changesAt: [] }, /times in order/],
  ['changes in disorder', { changesAt: [5, 4] }, /got \[5, 4\]/],
  ['a job without an end', { changesAt: [Number.POSITIVE_INFINITY] }, /times in order/],
  ['work that is no number', { workMs: Number.NaN }, /workMs of 0 or more, got NaN/],
  ['no pause between polls', { intervalMs: 0 }, /intervalMs of 1 or more, got 0/],
  ['no wait', { waitMs: 0 }, /waitMs of 1 or more, got 0/],
])('refuses %s', (_name, wrong, words) => {
  expect(() => simulate(shortPoll, { ...ideal, ...wrong })).toThrow(words);
});
