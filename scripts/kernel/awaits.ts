// What a cell waits for, it can stop waiting for; and where it waited is known when that fails.
// The calls to these functions are written into the code of cells by `instrument.ts`.
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

function awaitInCell(value: unknown): unknown {
  const cell = Cell.current();
  return cell && isThenable(value) ? wait(cell, value) : value;
}

async function wait(cell: Cell, value: PromiseLike<unknown>): Promise<unknown> {
  if (cell.stoppedFor > GRACE_MS) return new Promise(() => {});
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, awaitInCell);
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
