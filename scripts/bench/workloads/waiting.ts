import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, get, inTurns } from '../load-client.js';
import type { Server } from '../measured-servers.js';
import { type Figures, spent } from './figures.js';
import { PREFER } from './long-polls.js';
import { Audience } from './streams.js';

const WAIT_S = 10;

/** Clients that ask every second until a job of ten seconds is done, each in its own moment of the second. */
export async function pollsFor(server: Server, clients: number): Promise<number> {
  const job = await server.submit();
  const open = await inTurns(clients, () => Connection.open(server.port));
  const request = get(server.paths.status(job));
  const us = await spent(server, 'a client that polls', clients, () =>
    Promise.all(
      open.map(async (connection, n) => {
        await sleep((1000 * n) / clients);
        for (let second = 0; second < WAIT_S; second++) {
          await connection.send(request);
          await sleep(1000);
        }
        await connection.send(request);
      }),
    ),
  );
  for (const connection of open) connection.close();
  await server.tell(server.finish(job));
  return us;
}

/** The same wait as long polls, and as event streams. */
export async function waitsFor(server: Server, clients: number): Promise<Figures> {
  const job = await server.submit();
  const open = await inTurns(clients, () => Connection.open(server.port));
  const long = await spent(server, 'a client that long-polls', clients, async () => {
    const answers = open.map((connection) => connection.send(get(server.paths.longPoll(job), PREFER)));
    await sleep(WAIT_S * 1000);
    await server.tell(server.finish(job));
    await Promise.all(answers);
  });
  for (const connection of open) connection.close();

  const audience = new Audience(server, await server.submit());
  await audience.connect(clients);
  const sse = await spent(server, 'a client that reads a stream', clients, async () => {
    await audience.begin();
    await sleep(WAIT_S * 1000);
    await audience.told(0, 1, 1);
  });
  await audience.leave();
  return { long, sse };
}
