import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, get, inTurns } from '../load-client.js';
import type { Server } from '../measured-servers.js';
import { type Figures, spent, used, type Weigh } from './figures.js';

export const PREFER = 'Prefer: wait=60\r\n';

/** Clients that long-poll, each on the job of its number, and what it costs until all have their answers. */
export async function longPolls(
  server: Server,
  clients: number,
  jobs: string[],
  weigh: Weigh = 'no memory',
): Promise<Figures> {
  const before = await used(server, weigh);
  const open: Connection[] = [];
  const answers: Promise<unknown>[] = [];
  const opening = jobs.length > 1 ? 'to open a long poll on a job of its own' : 'to open a long poll';
  const arriving = await spent(server, opening, clients, async () => {
    open.push(...(await inTurns(clients, () => Connection.open(server.port))));
    for (const [n, connection] of open.entries()) {
      const job = jobs[n % jobs.length] as string;
      answers.push(connection.send(get(server.paths.longPoll(job), PREFER)));
      if (n % 100 === 99) await sleep(0); // gives the client's own sockets a turn
    }
  });
  const during = await used(server, weigh);
  let began = 0;
  let last = 0;
  const answer = jobs.length > 1 ? "a job's end and its answer" : 'an answer of a fan-out';
  const answering = await spent(server, answer, clients, async () => {
    began = performance.now();
    const all = Promise.all(answers).then(() => {
      last = performance.now();
    });
    await server.tell(...jobs.map((job) => server.finish(job)));
    await all;
  });
  for (const connection of open) connection.close();
  return {
    arriving,
    answering,
    kib: (during - before) / clients,
    ms: last - began,
    perSecond: (1000 * clients) / (last - began),
  };
}

/** Clients that long-poll, each on a job of its own: what it costs from the submits to the answers. */
export async function longPollsEach(server: Server, clients: number, weigh: Weigh = 'no memory'): Promise<Figures> {
  const before = await used(server, weigh);
  let made: string[] = [];
  const submitting = await spent(server, 'a submit', clients, async () => {
    made = await server.submitMany(clients);
  });
  const held = (await used(server, weigh)) - before;
  const polls = await longPolls(server, clients, made, weigh);
  const { arriving = 0, answering = 0, kib = 0 } = polls;
  return { ...polls, submitting, us: submitting + arriving + answering, kib: kib + held / clients };
}
