// The end of a program, as Node would have it: all work that the cells started is done, and the handlers of `beforeExit`
// and `exit` have run. A runner asks for it after the last cell, for a verdict. The kernel goes on living.
import type { Worker as WorkerThread } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import { closeInputOfChildren } from './children.js';
import { emitExit, runningWorkers, whenLoopIsEmpty } from './process-events.js';
import type { Content } from './protocol.js';
import type { Strays } from './strays.js';

// Taken before any cell runs, for a cell may put something else in their place.
const { stdout, stderr } = process;
const { ref, unref } = Worker.prototype;
const { unref: unrefTimer } = Object.getPrototypeOf(setTimeout(() => {}, 0)) as NodeJS.Timeout;
const { getActiveResourcesInfo, _getActiveHandles, _getActiveRequests } = process as typeof process & {
  _getActiveHandles(): object[];
  _getActiveRequests(): object[];
};

/**
 * Waits until nothing that the cells started keeps the process alive, up to `ms` milliseconds. The content of the reply:
 * `open` names what then still does; `exit_code` is `process.exitCode`, 0 if it was not set; `error`, if there is one, is
 * the first error that no cell failed with, and `caused_by` the request that caused it, or null.
 */
export async function finish(front: WorkerThread, strays: Strays, ms: number): Promise<Content> {
  const open = await workLeft(front, strays, ms);
  strays.exitAllowed = true;
  emitExit();
  strays.exitAllowed = false;
  closeInputOfChildren();
  const late = strays.take();
  const error = late ? { error: late.error, caused_by: late.from?.msg_id ?? null } : {};
  return { status: 'ok', open, exit_code: Number(process.exitCode ?? 0), ...error }; // Node takes '0' as well
}

/** What still keeps the process alive after `ms`; empty as soon as nothing does. */
function workLeft(front: WorkerThread, strays: Strays, ms: number): Promise<string[]> {
  return new Promise((resolve) => {
    const end = (open: string[]) => {
      clearTimeout(timer);
      stopWaiting();
      Reflect.apply(ref, front, []);
      resolve(open);
    };
    // The two things of the kernel that would keep the process alive.
    let timer = unrefdTimeout(() => timeIsUp(), ms);
    // What is begun again and again has no name in the moment between its end and its next beginning.
    const timeIsUp = (looks = 10) => {
      const open = whatIsOpen(front);
      if (open.length > 0) end(open);
      else if (looks > 0) timer = unrefdTimeout(() => timeIsUp(looks - 1), 1 + looks);
      else end(['work that Node does not name, such as that of its thread pool, is still in progress']);
    };
    Reflect.apply(unref, front, []);
    const stopWaiting = whenLoopIsEmpty(strays, () => end([]));
  });
}

function unrefdTimeout(callback: () => void, ms: number): NodeJS.Timeout {
  const timer = setTimeout(callback, ms);
  Reflect.apply(unrefTimer, timer, []);
  return timer;
}

/** What keeps the process alive, in words; empty if none of it has a name. */
function whatIsOpen(front: WorkerThread): string[] {
  const kinds = new Map<string, number>();
  for (const kind of own(Reflect.apply(getActiveResourcesInfo, process, []))) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const timers = kinds.get('Timeout') ?? 0;
  const open: string[] = [];
  if (timers > 0) open.push(`${timers === 1 ? '1 timer is' : `${timers} timers are`} still pending`);
  if (kinds.has('Immediate')) open.push('setImmediate is called again and again');
  const threads = runningWorkers().filter((worker) => worker !== front);
  for (const _ of threads) open.push('a worker thread is still running');
  const handles = own(Reflect.apply(_getActiveHandles, process, []))
    .filter((handle) => handle !== stdout && handle !== stderr)
    .map(describeHandle);
  open.push(...handles);
  for (const request of own(Reflect.apply(_getActiveRequests, process, []))) {
    open.push(`an operation is still in progress (${nameOf(request)})`);
  }
  // The pipes of a process and the ports of a thread need no lines of their own.
  const told = open.filter((text) => text !== PIPE && text !== MESSAGE_PORT);
  return told.length > 0 ? [...new Set(told)] : open.slice(0, 1);
}

/** A copy whose methods are the kernel's, whatever the cells did to those of arrays. */
function own<T>(array: readonly T[]): T[] {
  const copy: T[] = [];
  for (let i = 0; i < array.length; i += 1) copy.push(array[i]!);
  return copy;
}

interface Handle {
  address?: () => string | { port?: number; address?: string } | null;
  type?: string;
  pid?: number;
  spawnargs?: string[];
  remoteAddress?: string;
  remotePort?: number;
}

const PIPE = 'a pipe or socket is still open';
const MESSAGE_PORT = 'a message port is still open';

function describeHandle(handle: Handle): string {
  try {
    const name = nameOf(handle);
    if (name === 'Server') {
      const address = handle.address?.();
      if (typeof address === 'string') return `the socket ${address} is still listening (the kernel)`;
      return `port ${address?.port} is still listening (the kernel)`;
    }
    if (name === 'ChildProcess')
      return `process ${handle.pid} (${own(handle.spawnargs ?? []).join(' ')}) is still running`;
    if (/^udp/.test(handle.type ?? '')) return `a UDP socket ${addressOf(handle)}is still open`;
    if (name.endsWith('Socket')) {
      if (handle.remoteAddress)
        return `a connection to ${handle.remoteAddress} port ${handle.remotePort} is still open`;
      return PIPE;
    }
    if (name === 'MessagePort') return MESSAGE_PORT;
    if (name === 'FSWatcher' || name === 'StatWatcher') return 'a file is still watched';
    return `a handle is still open (${name})`;
  } catch {
    return 'a handle is still open';
  }
}

function addressOf(handle: Handle): string {
  const address = handle.address?.();
  return typeof address === 'object' && address?.port ? `on port ${address.port} ` : '';
}

function nameOf(value: object): string {
  const name = (value.constructor as { name?: unknown } | undefined)?.name;
  return typeof name === 'string' ? name : 'unknown';
}
