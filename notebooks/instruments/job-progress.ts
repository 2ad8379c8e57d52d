import type { Job } from './job.js';

/** How far a job had come at a time: `at` is RFC 3339, in UTC, and `progress` is 0 to 1. */
export interface Step {
  at: string;
  progress: number;
}

interface Consumed {
  events: { event: string; at: string; data: { progress: number } }[];
  next: string;
}

/** The jobs whose events are being read, or have been to the final one, by the URL of the events: the latest of them. */
const followed = new Map<string, { steps: Step[]; whole: Promise<void> }>();

/**
 * A job with the steps of its progress, for a chart that shows them: those that it has told so far, and all of them once it
 * has finished.
 *
 * Reads the job's events from its first one, with requests that belong to no experiment, so that they are not counted among
 * those that a cell measures. A server that does not answer ends the reading, and so does a job that tells nothing for five
 * minutes: the steps until then are what there is, and the next call begins again.
 *
 * @param url The server's.
 * @example const picture = async (job = submitted) => waterfall(run.rows, { title, job: await withProgress(url, job) });
 */
export async function withProgress<J extends Pick<Job, 'finishedAt' | 'links'>>(
  url: string,
  job: J,
): Promise<J & { steps: Step[] }> {
  const events = url + job.links.events;
  let known = followed.get(events);
  if (!known) {
    const steps: Step[] = [];
    const entry = { steps, whole: Promise.resolve() };
    entry.whole = follow(events, steps)
      .catch(() => false) // a chart without the last steps is better than none
      .then((isWhole) => {
        if (!isWhole && followed.get(events) === entry) followed.delete(events);
      });
    known = entry;
    followed.set(events, entry);
    const [oldest] = followed.keys();
    if (followed.size > MOST_JOBS) followed.delete(oldest as string);
  }
  if (job.finishedAt) {
    await known.whole;
    followed.delete(events);
  }
  return { ...job, steps: [...known.steps] };
}

/** Consumes a job's events until the final one, and adds the steps that they tell of. False if it ended before that one. */
async function follow(events: string, steps: Step[]): Promise<boolean> {
  const headers = { Accept: 'application/json', Prefer: `wait=${WAIT_S}` };
  for (let after = '', empty = 0; empty < MOST_EMPTY; ) {
    const url = after ? `${events}?after=${encodeURIComponent(after)}` : events;
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(1_500 * WAIT_S) });
    if (!response.ok) return false;
    const consumed = (await response.json()) as Consumed;
    for (const { event, at, data } of consumed.events) {
      if (event === 'progress') steps.push({ at, progress: data.progress });
      if (FINAL.includes(event)) return true;
    }
    empty = consumed.events.length === 0 ? empty + 1 : 0;
    after = consumed.next;
  }
  return false;
}

/** For how long the server may hold a request until there is an event, in seconds. */
const WAIT_S = 20;

/** After so many answers in a row without an event, a job is not read on: five minutes, where the server holds each request. */
const MOST_EMPTY = 15;

/** How many jobs are remembered at most. */
const MOST_JOBS = 100;

const FINAL = ['succeeded', 'failed', 'cancelled'];
