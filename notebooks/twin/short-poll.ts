import type { Rule } from './world.js';

/** Ask, and ask again after a pause, until the answer says that the job is done. */
export const shortPoll: Rule = function* (world, { intervalMs }) {
  for (;;) {
    yield world.request();
    yield world.work(); // the server reads the request, and answers how the job stands now
    const isDone = world.isDone();
    yield world.answer();
    if (isDone) return;
    yield intervalMs;
  }
};
