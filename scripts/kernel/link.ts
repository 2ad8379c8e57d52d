// What the two threads of the kernel say to each other.
//
// The main thread runs the cells. The front, a worker, holds the sockets: so that a client is heard
// (interrupt, shutdown, heartbeat) and output flows also while a cell keeps the main thread busy.
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import type { Content, Header } from './protocol.js';

/** Front to main. */
export type ToMain =
  | { kind: 'request'; type: string; header: Header; content: Content }
  /** `target`: the msg_id of the request to end, so that a late interrupt hits no other cell. */
  | { kind: 'interrupt'; target: string }
  /** `id`: the msg_id of the request that is answered when the cells' work has ended, or after `ms`. */
  | { kind: 'finish'; id: string; ms: number }
  | { kind: 'exit' }
  /** What the reader typed, for the cell that asked. */
  | { kind: 'input'; text: string };

/** Main to front. */
export type ToFront =
  /** Text for the stream named last: the kernel's most frequent message, so nothing but the text. */
  | string
  | { kind: 'stream'; parent: Header | undefined; name: string }
  | { kind: 'reply'; content: Content }
  /** The cell that runs wants a line from the reader. */
  | { kind: 'ask'; prompt: string }
  | { kind: 'finished'; id: string; content: Content }
  | { kind: 'publish'; type: string; parent: Header | undefined; content: Content; size: number };

/** Indices into the Int32Array that the threads share. */
export const Shared = {
  /** Bytes of output handed to the front and not yet taken by the network. */
  pending: 0,
  /** How many messages from the front the main thread has got round to: a sign of life. */
  heard: 1,
  /** 1 while the first, synchronous part of a cell runs: only there can V8 cut it off safely. */
  synchronous: 2,
  /** 1 when a client wants the running cell to end; cells look at it in their loops. */
  stop: 3,
} as const;

/** Past so many bytes pending, a cell that prints has to wait, as for a full pipe. */
export const MAX_PENDING = 8 * 1024 * 1024;

/** Says something where Jupyter logs: a worker's console goes through the main thread, and there into a cell. */
export function log(text: string): void {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // Nobody listens.
  }
}

/** Ends a kernel that cannot be spoken to at once, so that Jupyter notices, and says why. */
export function die(why: string, error: unknown): void {
  log(`${why}: ${inspect(error)}`);
  process.kill(process.pid, 'SIGKILL');
}
