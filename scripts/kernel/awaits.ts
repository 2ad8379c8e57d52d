// What a cell waits for, it can stop waiting for; and where it waited is known when that fails.
// The calls to these functions are written into the code of cells by `instrument.ts`.
import { inspect, types } from 'node:util';
import { Cell } from './cell.js';

/** How long a stopped cell's clean-up may still await. What awaits later never goes on. */
const GRACE_MS = 2000;

/**
 * Puts the functions where the code of cells finds them. `stop` is not 0 while a client wants the
 * running cell to end, and `stopNow` is then called in a loop.
 */
export function installAwaits(stop: Int32Array, stopNow: () => void): void {
  Object.defineProperties(globalThis, {
    __await: { value: Object.assign(awaitInCell, { each, stop: stopNow }) },
    __stop: { value: stop },
  });
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function';

const { prototype } = Promise;
const { then } = prototype;

function awaitInCell(value: unknown): unknown {
  const cell = Cell.current();
  if (!cell) return value;
  if (types.isPromise(value) && cell.stoppedFor <= GRACE_MS) {
    const state = stateOf(value);
    if (state === 'rejected') {
      const here = placeOf(awaitInCell);
      Reflect.apply(then, value, [undefined, (error: unknown) => note(error, here)]);
    }
    // A settled promise needs no stop, and awaited as it is, the code after it runs in the very turn in which Node runs it.
    if (state !== 'pending') return value;
  }
  return isThenable(value) ? wait(cell, value) : value;
}

/** The state of a promise, which `inspect` alone tells at once; of one with another prototype it is not asked. */
function stateOf(promise: object): 'pending' | 'fulfilled' | 'rejected' {
  if (Object.getPrototypeOf(promise) !== prototype) return 'pending';
  const text = inspect(promise, { customInspect: false, depth: 0, maxArrayLength: 0, maxStringLength: 0 });
  const [, mark] = /^Promise \{\s+(<pending>|<rejected>)?/.exec(text) ?? [undefined, '<pending>'];
  return mark === undefined ? 'fulfilled' : mark === '<pending>' ? 'pending' : 'rejected';
}

function placeOf(below: (...given: never[]) => unknown): { stack?: string } {
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, below);
  return here;
}

async function wait(cell: Cell, value: PromiseLike<unknown>): Promise<unknown> {
  if (cell.stoppedFor > GRACE_MS) return new Promise(() => {});
  const here = placeOf(awaitInCell);
  let stop: ((reason: unknown) => void) | undefined;
  try {
    // In this form V8's async stack traces reach through.
    return await new Promise((resolve, reject) => {
      stop = reject;
      cell.waiting.add(reject);
      Promise.resolve(value).then(resolve, reject);
    });
  } catch (error) {
    note(error, here);
    throw error;
  } finally {
    cell.waiting.delete(stop!);
  }
}

function each(iterable: AsyncIterable<unknown>): unknown {
  const cell = Cell.current();
  const make = iterable?.[Symbol.asyncIterator];
  if (!cell || typeof make !== 'function') return iterable;
  const iterator = make.call(iterable);
  let leave = async (value?: unknown): Promise<IteratorResult<unknown>> =>
    (await iterator.return?.(value)) ?? { done: true, value };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        return await wait(cell, Promise.resolve(iterator.next()));
      } catch (error) {
        // The loop does not close an iterator whose `next` fails; one that was stopped has to be.
        if (!cell.running) leave().catch(() => {});
        leave = async (value) => ({ done: true, value });
        throw error;
      }
    },
    return: (value?: unknown) => leave(value),
  };
}

const waits = new WeakMap<object, { stack?: string }[]>();

function note(error: unknown, place: { stack?: string }): void {
  if (typeof error !== 'object' || error === null) return;
  const places = waits.get(error) ?? [];
  waits.set(error, places);
  if (places.length < 10) places.push(place);
}

/** Stack lines of the awaits that this error came through, innermost first. */
export function awaitsOf(error: object): string[] {
  return (waits.get(error) ?? []).flatMap(({ stack }) => stack?.split('\n').slice(1, 2) ?? []);
}
