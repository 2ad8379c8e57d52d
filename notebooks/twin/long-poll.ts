import type { Rule } from './world.js';

/** Ask, be held until the job is done or the wait is over, and ask again if it is not done. */
export const longPoll: Rule = function* (world, { changesAt, waitMs }) {
  for (;;) {
    yield world.request();
    yield world.work(); // the server reads the request,
    yield Math.min(world.untilChange(changesAt.length), waitMs); // holds it,
    yield world.work(); // and answers it
    const isDone = world.isDone();
    yield world.answer();
    if (isDone) return;
  }
};
