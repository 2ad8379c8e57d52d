import { Connection, get, inTurns } from '../load-client.js';
import type { Server } from '../measured-servers.js';
import { spent } from './figures.js';

/** So many short polls on so many connections; returns processor time for each, in microseconds. */
export async function shortPolls(server: Server, connections: number, requests: number): Promise<number> {
  const job = await server.submit();
  await server.tell(server.progress(job, 0.5));
  const open = await inTurns(connections, () => Connection.open(server.port));
  const request = get(server.paths.status(job));
  const poll = (count: number) =>
    Promise.all(
      open.map(async (connection) => {
        for (let n = 0; n < count / connections; n++) await connection.send(request);
      }),
    );
  await poll(requests / 4);
  const us = await spent(server, 'a short poll', requests, () => poll(requests));
  for (const connection of open) connection.close();
  await server.tell(server.finish(job));
  return us;
}
