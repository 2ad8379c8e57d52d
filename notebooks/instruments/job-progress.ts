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

/** The jobs whose events are being read, by the URL of the events. */
const followed = new Map<string, { steps: Step[]; whole: Promise<void> }>();

/**
 * A job with the steps of its progress, for a chart that shows them: those that it has told so far, and all of them once it
 * has finished.
 *
 * Reads the job's events from its first one, with requests that belong to no experiment, so that they are not counted among
 * those that a cell measures. A server that does not answer ends the reading, and the steps until then are what there is.
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
    const whole = follow(events, steps).catch(() => {}); // a chart without the last steps is better than none
    known = { steps, whole };
    followed.set(events, known);
  }
  if (job.finishedAt) {
    await known.whole;
    followed.delete(events);
  }
  return { ...job, steps: [...known.steps] };
}

/** Consumes a job's events until the final one, and adds the steps that they tell of. */
async function follow(events: string, steps: Step[]): Promise<void> {
  const headers = { Accept: 'application/json', Prefer: `wait=${WAIT_S}` };
  for (let after = ''; ; ) {
    const url = after ? `${events}?after=${encodeURIComponent(after)}` : events;
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(1_500 * WAIT_S) });
    if (!response.ok) return;
    const consumed = (await response.json()) as Consumed;
    for (const { event, at, data } of consumed.events) {
      if (event === 'progress') steps.push({ at, progress: data.progress });
      if (FINAL.includes(event)) return;
    }
    after = consumed.next;
  }
}

/** For how long the server may hold a request until there is an event, in seconds. */
const WAIT_S = 20;

const FINAL = ['succeeded', 'failed', 'cancelled'];
