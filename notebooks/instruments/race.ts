import fetch from 'node-fetch';
import { longPoll } from '../lessons/long-polling.js';
import { isFinal, readStream, simulated, submit } from '../lessons/server-sent-events.js';
import { type Client, pollUntilDone } from '../lessons/short-polling.js';
import { lastOf, type Racer, race as raceChart } from './charts/race.js';
import { connect } from './connect.js';
import { live } from './draw.js';
import { experiment, now } from './experiment.js';
import type { Job } from './job.js';
import { withProgress } from './job-progress.js';
import type { Technique } from './technique.js';

const STEPS = 6;
const WAIT_S = 20;

/**
 * Lets three clients wait for the same job on the course's server, each in its own way, and draws their requests while they
 * happen. The clients are those of notebooks 3, 4 and 5.
 *
 * @param durationMs How long the job takes, in milliseconds; 3 s by default.
 * @param intervalMs The pause between two short polls, in milliseconds; 400 by default.
 */
export async function race({ durationMs = 3_000, intervalMs = 400 } = {}): Promise<void> {
  const { url } = await connect();
  const job = await submit(experiment('the job', fetch).fetch, `${url}/jobs`, simulated(durationMs, STEPS));
  const entrants = [
    enter('short polling', 'short-poll', (client) => pollUntilDone(client, url + job.links.self, intervalMs)),
    enter('long polling', 'long-poll', (client) => longPoll(client, url + job.links.result, WAIT_S)),
    enter('server-sent events', 'event-stream', async (client, hear) => {
      for await (const { event } of readStream(client, url + job.links.events)) {
        hear();
        if (isFinal(event)) return;
      }
    }),
  ];
  const racers = entrants.map(({ racer }) => racer);
  const beganAt = Date.parse(job.startedAt ?? job.createdAt);
  const finish = async () => {
    await Promise.all(entrants.map(({ done }) => done));
    return (await (await fetch(url + job.links.self)).json()) as Job;
  };
  await live(async (ended: Job = job) => {
    const { finishedAt, steps } = await withProgress(url, ended);
    const endedAt = finishedAt ? Date.parse(finishedAt) : null;
    const title = endedAt ? lastOf(racers, endedAt) : 'Who learns last that the job is done?';
    return raceChart(racers, { title, durationMs, beganAt, endedAt, steps });
  }, finish());
}

/** Starts a client. Each answer is a piece of news, and what `hear` tells of. */
function enter(name: string, technique: Technique, wait: (client: Client, hear: () => void) => Promise<unknown>) {
  const run = experiment(name, fetch);
  const racer: Racer = { name, technique, rows: run.rows, news: [], knewAt: null };
  const hear = () => void racer.news.push(now());
  const client = (async (...request: Parameters<Client>) => {
    const response = await run.fetch(...request);
    if (technique !== 'event-stream') hear(); // the head of a stream tells nothing about the job
    return response;
  }) as Client;
  const done = wait(client, hear).then(() => {
    racer.knewAt = now();
  });
  return { racer, done };
}
