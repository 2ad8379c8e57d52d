import { expect, test } from 'vitest';
import { type Answer, newExperiment, sum, total } from './client.js';
import { RawConnection } from './raw.js';
import { withSettings } from './server.js';
import type { StreamReader } from './stream.js';
import { within } from './within.js';

const KiB = 1024;
const MiB = 1024 * KiB;
// `npm run soak` does the same with 9,000 of each: a process may open 20,000 files.
const clients = Number(process.env.SOAK_CLIENTS ?? 2000);
const TIMEOUT_MS = 120_000 + 40 * clients;

/** Does so many things, so many of them at a time, so that the accept queue never overflows. */
async function inBatches<T>(count: number, one: (n: number) => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  for (let at = 0; at < count; at += 100) {
    const batch = Array.from({ length: Math.min(100, count - at) }, (_, n) => one(at + n));
    done.push(...(await Promise.all(batch)));
  }
  return done;
}

withSettings(
  'a crowd',
  ['--max-waiters', String(2.1 * clients), '--max-rows', '5000', '--stall-ms', '3600000'],
  (lab, server) => {
    /** So many streams and so many long polls, on so many jobs, all answered; returns what the server held meanwhile. */
    async function crowd(size: number, jobs: number): Promise<number> {
      const experiment = newExperiment();
      const headers = { Experiment: experiment };
      const made: string[] = [];
      for (let n = 0; n < jobs; n++) made.push((await lab.manual()).jobId);
      const jobOf = (n: number) => made[n % jobs] ?? '';

      const streams = await inBatches(size, (n) => lab.stream(`/jobs/${jobOf(n)}/events`, headers));
      const polls: Promise<Answer>[] = [];
      await inBatches(size, async (n) => {
        const path = `/jobs/${jobOf(n)}/result`;
        polls.push(lab.get(path, { ...headers, Prefer: 'wait=60' }));
        if (n % 100 === 99) await lab.get('/healthz'); // lets the batch arrive
      });
      const waiting = async (): Promise<void> => {
        const { totals } = await lab.traffic(experiment);
        if (sum(totals, 'open') < 2 * size) return waiting();
      };
      await within(waiting(), 'the crowd to be there', 55_000);
      const during = (await server().memory()).heapUsed;

      let over = false;
      const answered = Promise.all(polls).finally(() => {
        over = true;
      });
      const polling = shortPolls(jobOf(0), () => over);
      for (const jobId of made) await lab.finish(jobId, { result: { of: jobId } });

      const answers = await within(answered, 'the answers to the long polls', TIMEOUT_MS);
      await polling; // each was answered: how many there were meanwhile depends on the machine
      const byJob = new Map<string, number>();
      for (const [n, answer] of answers.entries()) {
        expect(answer.status).toBe(200);
        const { of } = answer.json<{ of: string }>();
        expect(of).toBe(jobOf(n));
        byJob.set(of, (byJob.get(of) ?? 0) + 1);
      }
      expect([...byJob.values()]).toEqual(Array(jobs).fill(size / jobs));

      const ends = await within(
        Promise.all(streams.map((stream) => stream.toTheEnd())),
        'the final event on every stream',
        TIMEOUT_MS,
      );
      for (const [n, events] of ends.entries()) {
        expect(events.map(({ event }) => event)).toEqual(['queued', 'started', 'succeeded']);
        expect(events.at(-1)?.data).toMatchObject({ jobId: jobOf(n), result: { of: jobOf(n) } });
      }

      for (const stream of streams as StreamReader[]) stream.close();
      const { totals } = await lab.quiet(experiment);
      expect(total({ requests: [], totals }, 'event-stream')).toMatchObject({
        requests: size,
        events: 3 * size,
        open: 0,
      });
      expect(total({ requests: [], totals }, 'long-poll').requests).toBe(size);
      return during;
    }

    /** Asks for a job again and again until it is over. */
    async function shortPolls(jobId: string, over: () => boolean): Promise<void> {
      while (!over()) expect((await lab.get(`/jobs/${jobId}`)).status).toBe(200);
    }

    /** So many readers of all events that read none of them, and what they are told is more than sockets hold. */
    async function neverReading(count: number): Promise<RawConnection[]> {
      const experiment = newExperiment();
      const readers = await inBatches(count, async () => {
        const raw = await RawConnection.connect(lab.base);
        raw.socket.pause();
        await raw.send(`GET /events?experiment=${experiment} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        return raw;
      });
      for (let jobs = 0; jobs < 50; jobs++) {
        const { jobId } = await lab.simulated({ durationMs: 0, steps: 1000 });
        await lab.until(jobId);
      }
      const { requests } = await lab.traffic(experiment);
      expect(requests).toHaveLength(count);
      for (const { events } of requests) expect(events).toBeLessThan(50_000);
      return readers;
    }

    test(
      `${clients} streams and ${clients} long polls at once are all answered, also where 1 % never read, and leave no memory behind`,
      async () => {
        const stuck = await neverReading(clients / 100);
        // A small crowd first: code compiled, pools filled, ledger rows there.
        await crowd(500, 20);
        const before = (await server().memory()).heapUsed;
        const during = await crowd(clients, 20);
        const after = (await server().memory()).heapUsed;
        const held = during - before;
        console.log(
          `a crowd of ${2 * clients}: ${Math.round(held / MiB)} MiB while there, ${((after - before) / MiB).toFixed(1)} MiB after`,
        );
        expect(held).toBeGreaterThan(0);
        expect(held / (2 * clients)).toBeLessThan(16 * KiB);
        // What is kept on purpose (events, finished jobs, ledger rows) is bounded, and small beside a crowd.
        expect(after - before).toBeLessThan(Math.max(held / 4, 4 * MiB));
        for (const raw of stuck) raw.close();
      },
      TIMEOUT_MS,
    );
  },
  { memoryProbe: true },
);

withSettings(
  'readers that never read',
  ['--stall-ms', '600000', '--max-events', '2000', '--keep-jobs', '5', '--max-rows', '100'],
  (lab, server) => {
    test('cost no memory beyond their sockets', async () => {
      const experiment = newExperiment();
      const readers: RawConnection[] = [];
      for (let n = 0; n < 20; n++) {
        const raw = await RawConnection.connect(lab.base);
        raw.socket.pause();
        await raw.send(`GET /events?experiment=${experiment} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        readers.push(raw);
      }
      const tell = async (jobs: number) => {
        for (let n = 0; n < jobs; n++) {
          const { jobId } = await lab.simulated({ durationMs: 0, steps: 1000 });
          await lab.until(jobId);
        }
      };
      const used = async () => {
        const { heapUsed, external } = await server().memory();
        return heapUsed + external;
      };
      await tell(20);
      const before = await used();
      await tell(60);
      const growth = (await used()) - before;
      // 60,000 events of about 150 bytes for 20 readers would be 170 MiB, had they been kept for them.
      expect(growth).toBeLessThan(30 * MiB);
      for (const raw of readers) raw.close();
      await lab.quiet(experiment);
    });
  },
  { memoryProbe: true },
);
