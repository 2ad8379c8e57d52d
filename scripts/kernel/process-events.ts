// What Node tells the process: errors that nothing catches, and the end of all work.
//
// Node tells both by `process._fatalException` and `process.emit`, and the listeners of the cells hang on the second.
// A cell, or a package that it imports, may remove listeners, replace `process.emit`, set a capture callback, or install
// a handler that throws (code that Emscripten generates does). So the kernel adds no listener that could be removed: it
// stands in the two properties themselves, hears first, and then lets the handlers of the cells run. What these throw
// is heard too, and does not end the process.

import { createHook, executionAsyncResource } from 'node:async_hooks';
import { Cell } from './cell.js';

type Emit = typeof process.emit;

interface Listeners {
  /** An exception that nothing caught. */
  uncaught(error: unknown): void;
  /** The reason of a rejected promise that nothing handles. */
  unhandled(reason: unknown): void;
}

const { getActiveResourcesInfo, setUncaughtExceptionCaptureCallback } = process;
const { unref: unrefImmediate } = Object.getPrototypeOf(setImmediate(() => {})) as NodeJS.Immediate;
let listeners: Listeners;
/** Set while the kernel waits for the event loop to be empty; called each time it is, with what runs the cells' handlers. */
let loopIsEmpty: ((runCellsHandlers: () => boolean) => void) | undefined;
/** Every worker thread that was started. For naming those that are left. */
const workers: WeakRef<object>[] = [];

/** Listens from now on, for as long as the process lives. */
export function listenToProcess(these: Listeners): void {
  listeners = these;
  const fatal = (process as unknown as { _fatalException: Fatal })._fatalException;
  // Not configurable, so that what is set here stays; what cells set goes through `intercept`.
  let emit = intercept(process.emit);
  Object.defineProperty(process, 'emit', {
    get: () => emit,
    set: (replacement: Emit) => {
      emit = intercept(replacement);
    },
  });
  Object.defineProperty(process, '_fatalException', { get: () => survive(fatal), set: () => {} });
}

type Fatal = (error: unknown, fromPromise: boolean) => boolean;

/** Node's own function runs the handlers of the cells, and puts its records of asynchronous work in order. */
function survive(fatal: Fatal): Fatal {
  return (error, fromPromise) => {
    if (fromPromise) listeners.unhandled(error);
    else listeners.uncaught(error);
    uncaught = { error };
    try {
      return fatal(error, fromPromise);
    } catch (thrown) {
      // Only a capture callback of the cells gets here.
      if (thrown !== error) listeners.uncaught(thrown);
      Reflect.apply(setUncaughtExceptionCaptureCallback, process, [null]);
      return fatal(error, fromPromise);
    } finally {
      uncaught = undefined;
    }
  };
}

/** The exception whose handlers run now. */
let uncaught: { error: unknown } | undefined;
/** A replacement for `process.emit` calls the one before it: what is told is heard once. */
let inside = false;

function intercept(emit: Emit): Emit {
  return function (this: unknown, event: string, ...args: unknown[]): boolean {
    const forward = () => Reflect.apply(emit, this, [event, ...args]) as boolean;
    if (inside) return forward();
    inside = true;
    try {
      switch (event) {
        case 'unhandledRejection':
          listeners.unhandled(args[0]);
          runHandlers(forward, args[0]);
          return true;
        case 'uncaughtException':
        case 'uncaughtExceptionMonitor':
          if (!uncaught) return forward(); // not Node's: a cell emits it
          runHandlers(forward, uncaught.error);
          return true; // without a handler, Node would end the process
        case 'beforeExit':
          // A cell may emit it as well; where Node does, no cell's code is running, and no timer is left.
          if (!loopIsEmpty || Cell.current() || hasTimers()) return forward();
          loopIsEmpty(forward);
          return true;
        case 'worker':
          workers.push(new WeakRef(args[0] as object));
          return forward();
        default:
          inside = false;
          return forward();
      }
    } finally {
      inside = false;
    }
  } as Emit;
}

function runHandlers(forward: () => boolean, about?: unknown): void {
  try {
    forward();
  } catch (error) {
    // A handler that only passes on what it was given reports nothing new.
    if (error !== about) listeners.uncaught(error);
  }
}

/**
 * Calls back when nothing keeps the process alive any more, after the handlers of `beforeExit` and what these start.
 * That is Node's own knowledge: it includes work that no list has, such as that of the thread pool. Whatever the kernel
 * itself needs must not be counted by Node (`unref`) meanwhile. `exits.exitAllowed` is set from `beforeExit` on, for its
 * handlers may end the process. Returns a function that stops waiting.
 */
export function whenLoopIsEmpty(exits: { exitAllowed: boolean }, callback: () => void): () => void {
  /** The look that found no work; null once it has found some. */
  let look: object | null = null;
  loopIsEmpty = (runCellsHandlers) => {
    if (look) {
      stop();
      callback();
      return;
    }
    exits.exitAllowed = true;
    const before = countResources();
    runHandlers(runCellsHandlers);
    if (countResources() > before) return; // as Node does: the handlers run again when that work is done
    // Keeps the loop alive for one turn, for what the handlers began may show later, or in no list. Node emits
    // `beforeExit` once more when that is done, and the cells do not hear of it, unless work of no list was done
    // meanwhile: it had a callback in this turn, or it made the loop go on for another.
    const thisLook = {};
    look = thisLook;
    const goesOn = () => {
      // What an earlier look left for another turn, which did not come, may run in a turn of this one.
      if (look === thisLook) look = null;
    };
    const callbacks = createHook({
      before: () => {
        if ('getAsyncId' in executionAsyncResource()) goesOn(); // of Node's own resources, not of promises or ticks
      },
    }).enable();
    setImmediate(() => {
      callbacks.disable();
      Reflect.apply(unrefImmediate, setImmediate(goesOn), []);
    });
  };
  const stop = () => {
    loopIsEmpty = undefined;
    exits.exitAllowed = false;
  };
  return stop;
}

const hasTimers = (): boolean => {
  for (const kind of Reflect.apply(getActiveResourcesInfo, process, [])) {
    if (kind === 'Timeout' || kind === 'Immediate') return true;
  }
  return false;
};
const countResources = (): number => Reflect.apply(getActiveResourcesInfo, process, []).length;

/** Runs the handlers of `exit`. */
export function emitExit(): void {
  runHandlers(() => process.emit('exit', Number(process.exitCode ?? 0)));
}

/** The worker threads that run. */
export function runningWorkers(): object[] {
  const running: object[] = [];
  for (const worker of workers) {
    const one = worker.deref() as { threadId: number } | undefined;
    if (one && one.threadId >= 0) running.push(one);
  }
  return running;
}
