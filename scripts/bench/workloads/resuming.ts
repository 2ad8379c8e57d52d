import { setTimeout as sleep } from 'node:timers/promises';
import { Stream } from '../load-client.js';
import type { Server } from '../measured-servers.js';
import { type Figures, spent } from './figures.js';

const LOST_MS = 20_000;

/** Readers that leave after every few events and come back with their last id, while events flow. */
export async function resuming(server: Server, readers: number, events: number): Promise<Figures> {
  const job = await server.submit();
  const path = server.paths.stream(job);
  const all = events + 2; // queued and started, which came before
  const seen = Array.from({ length: readers }, () => [] as string[]);
  const us = await spent(server, 'a delivery to streams that resume', readers * all, async () => {
    const reading = Promise.all(
      seen.map(async (ids, n) => {
        // Sooner or later, each in a rhythm of its own.
        for (let stay = 5 + (n % 20); new Set(ids).size < all; stay = 5 + ((stay + 7) % 20)) {
          await new Promise<void>((resolve, reject) => {
            let left = stay;
            const opening = Stream.open(
              server.port,
              path,
              (stream) => {
                if (left <= 0) return;
                ids.push(stream.lastId);
                left -= 1;
                if (left > 0 && ids.length < all) return;
                stream.close();
                left = 0;
                resolve();
              },
              ids.at(-1),
            );
            opening.catch(reject);
          });
        }
      }),
    );
    for (let n = 1; n <= events; n++) {
      await server.tell(server.progress(job, n / events));
      await sleep(20);
    }
    // A reader that has lost an event would wait forever.
    await Promise.race([reading, sleep(LOST_MS, undefined, { ref: false })]);
  });
  await server.tell(server.finish(job)); // this server takes only so many jobs that are unfinished
  const order = seen.reduce((longest, ids) => (ids.length > longest.length ? ids : longest), []);
  const known = new Set(order);
  let [lost, repeated] = [0, 0];
  for (const ids of seen) {
    const own = new Set(ids);
    lost += [...known].filter((id) => !own.has(id)).length;
    repeated += ids.length - own.size;
  }
  return { lost, repeated, us };
}
