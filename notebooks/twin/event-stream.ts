import type { Rule } from './world.js';

/** Ask once, and get each change of the job as an event, until its end. */
export const eventStream: Rule = function* (world, { changesAt }) {
  yield world.request();
  yield world.work(); // the server reads the request
  for (let seen = 0; seen < changesAt.length; ) {
    yield world.untilChange(seen + 1); // nothing is sent before the next change
    const news = world.changes() - seen; // more than one, if the server is behind
    yield world.work(news); // it writes an event for each
    seen += news;
  }
  yield world.answer();
};
