import { randomInt } from 'node:crypto';
import { test } from 'vitest';
import { seededRandom } from '../../scripts/test/random.js';
import { everyCase, holdsNothing, type Protocol } from './leaks.js';
import { withSettings } from './server.js';

// `npm run soak` does every case, over and over: SOAK_ENDINGS says how many; SEED tries them in the same order again.
const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
const all = everyCase();
const count = Number(process.env.SOAK_ENDINGS ?? 120);

/** The cases in an order that the seed gives, again and again until there are enough. */
function* shuffled(random: () => number): Generator<[Protocol, string, string]> {
  for (;;) {
    const rest = [...all];
    while (rest.length > 0) yield rest.splice(Math.floor(random() * rest.length), 1)[0]!;
  }
}

withSettings(
  'whatever a client does, and however it ends',
  ['--stall-ms', '1000', '--head-timeout-ms', '1500', '--body-timeout-ms', '2000', '--grace-ms', '1000'],
  (lab, server) => {
    test(
      `${count} of ${all.length} endings leave no waiter, row, socket, timer or descriptor behind (seed ${seed})`,
      async () => {
        // The thread that reads videos starts with the first one, and stays.
        const headers = { 'Content-Type': 'video/mp4' };
        const { jobId } = (await lab.request('POST', '/jobs', { headers, body: Buffer.alloc(50) })).job;
        await lab.until(jobId, 'failed');
        const cases: [Protocol, string, string][] = [];
        const order = shuffled(seededRandom(seed));
        while (cases.length < count) cases.push(order.next().value!);
        for (let at = 0; at < count; at += 500) await holdsNothing(lab, server(), cases.slice(at, at + 500));
      },
      60_000 + 200 * count,
    );
  },
  { memoryProbe: true },
);
