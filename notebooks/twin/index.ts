/**
 * The twin of a measured run: the same clients on simulated time. Each technique's rule is a file of its own.
 */
export { eventStream } from './event-stream.js';
export { longPoll } from './long-poll.js';
export { shortPoll } from './short-poll.js';
export { type Run, simulate } from './simulate.js';
export type { Inputs, Rule } from './world.js';
