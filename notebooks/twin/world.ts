import { Clock, type Process } from './clock.js';

/** What the twin has to know: measured, or assumed. Times are in milliseconds. */
export interface Inputs {
  clients: number;
  /** The clients begin one after the other, evenly, within this time. */
  beginWithinMs: number;
  /** When the job changes, in order, from the moment at which the first client begins. The last change is its end. */
  changesAt: number[];
  /** How long a request and its answer travel together. */
  roundTripMs: number;
  /** How long the server's processor works each time that it reads a request, or writes an answer or an event. */
  workMs: number;
  /** The pause of a short poll's client. */
  intervalMs: number;
  /** For how long the server may hold a long poll. */
  waitMs: number;
}

/** What one client does. It ends when the client knows that the job is done. */
export type Rule = (world: World, inputs: Inputs) => Process;

/** The network, the server and the job, as the clients see them. */
export class World {
  readonly clock = new Clock();
  /** When each request was sent. */
  readonly sentAt: number[] = [];
  /** How many times the server has worked. */
  works = 0;
  private freeAt = 0; // when the server will have done all that it has been asked so far

  constructor(private readonly inputs: Inputs) {}

  /** Sends a request: how long until it is at the server. */
  request(): number {
    this.sentAt.push(this.clock.now);
    return this.inputs.roundTripMs / 2;
  }

  /** How long until an answer is at the client. */
  answer(): number {
    return this.inputs.roundTripMs / 2;
  }

  /** Queues work for the server's one processor; returns how long until it is done, in milliseconds. */
  work(times = 1): number {
    this.works += times;
    this.freeAt = Math.max(this.freeAt, this.clock.now) + times * this.inputs.workMs;
    return this.freeAt - this.clock.now;
  }

  /** How many changes of the job there have been. */
  changes(): number {
    const next = this.inputs.changesAt.findIndex((at) => at > this.clock.now);
    return next < 0 ? this.inputs.changesAt.length : next;
  }

  isDone(): boolean {
    return this.untilChange(this.inputs.changesAt.length) === 0;
  }

  /** How long until the job's nth change; 0 if it has happened. */
  untilChange(n: number): number {
    return Math.max(0, this.inputs.changesAt[n - 1]! - this.clock.now);
  }
}
