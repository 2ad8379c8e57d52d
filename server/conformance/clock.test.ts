import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Client, newExperiment } from './client.js';
import { ownServers, withServer } from './server.js';
import type { Job } from './types.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How long a job took by this process' monotonic clock, from before its submit until its end was seen. */
async function timed(client: Client, during: () => Promise<void>, start: () => Promise<Job>) {
  const began = performance.now();
  const { jobId } = await start();
  await during();
  const job = await client.until(jobId);
  return { job, tookMs: performance.now() - began };
}

const inOrder = ({ createdAt, startedAt, finishedAt }: Job) =>
  expect([createdAt, startedAt, finishedAt]).toEqual([createdAt, startedAt, finishedAt].sort());

ownServers('the wall clock is set while a job runs', () => {
  test.each([
    ['back by an hour', -HOUR_MS],
    ['back by 60 days', -60 * DAY_MS],
    ['forward by 60 days', 60 * DAY_MS],
  ])('%s: a simulated job takes its time, and the processor rests', async (_, shiftMs) => {
    await withServer(
      [],
      async (server, client) => {
        const before = await server.cpuMs();
        const { job, tookMs } = await timed(
          client,
          () => server.shiftClock(shiftMs),
          () => client.simulated({ durationMs: 2_000, steps: 4 }),
        );
        expect(job.state).toBe('succeeded');
        expect(tookMs).toBeGreaterThan(1_900);
        expect(tookMs).toBeLessThan(20_000);
        expect((await server.cpuMs()) - before).toBeLessThan(1_800);
        inOrder(job);
        expect(server.stderr).toBe('');
      },
      { clock: true, memoryProbe: true },
    );
  });

  test('back: a paced upload takes its time, and the times of its job and of the ledger are in order', async () => {
    await withServer(
      [],
      async (server, client) => {
        const video = await readFile(join(import.meta.dirname, 'fixtures', 'clip.mp4'));
        const experiment = newExperiment();
        const { job, tookMs } = await timed(
          client,
          () => server.shiftClock(-60 * DAY_MS),
          async () =>
            (await client.upload(video, { query: '?durationMs=1500', headers: { Experiment: experiment } })).job,
        );
        expect(job.state).toBe('succeeded');
        expect(tookMs).toBeGreaterThan(1_400);
        expect(tookMs).toBeLessThan(20_000);
        inOrder(job);
        expect(server.stderr).toBe('');
      },
      { clock: true },
    );
  });

  test('back: a held request was not answered before it arrived', async () => {
    await withServer(
      [],
      async (server, client) => {
        const experiment = newExperiment();
        const { jobId, links } = await client.manual();
        const poll = client.get(links.result, { Prefer: 'wait=60', Experiment: experiment });
        await client.held(experiment);
        await server.shiftClock(-HOUR_MS);
        await client.finish(jobId);
        expect((await poll).status).toBe(200);
        const { requests } = await client.settled(experiment, 1);
        const [{ arrivedAt, answeredAt, endedAt }] = requests as [(typeof requests)[0]];
        expect([arrivedAt, answeredAt, endedAt]).toEqual([arrivedAt, answeredAt, endedAt].sort());
        expect(Date.parse(endedAt as string) - Date.parse(arrivedAt)).toBeLessThan(HOUR_MS / 2);
        inOrder(await client.job(jobId));
      },
      { clock: true },
    );
  });
});
