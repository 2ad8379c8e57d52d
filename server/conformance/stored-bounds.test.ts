import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { table } from '../settings-table.mjs';
import { Client } from './client.js';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { Http2Client } from './http2.js';
import { hops, ownServers, startServer, target, temporaryFolder, withServer, withSettings } from './server.js';
import type { Job } from './types.js';
import { eventually } from './within.js';

const MiB = 1024 ** 2;
/** A result of 60 KB, unlike every other one. */
const large = (n: number) => ({ result: `${n} ${'x'.repeat(60_000)}` });

/** Finishes jobs with large results, some at a time; returns their ids, the oldest first. */
async function finishMany(client: Client, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 10) {
    const some = Array.from({ length: 10 }, async (_, i) => {
      const { jobId } = await client.manual();
      await client.finish(jobId, large(n + i));
      return jobId;
    });
    ids.push(...(await Promise.all(some)));
  }
  return ids;
}

const idsHeld = async (client: Client) => {
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const page = (await client.get(`/jobs?limit=1000${after}`)).json<{ jobs: Job[]; next: string | null }>();
    ids.push(...page.jobs.map(({ jobId }) => jobId));
    if (page.next === null) return ids;
    after = `&after=${page.next}`;
  }
};

withSettings(
  'events and finished jobs are bounded in bytes',
  ['--max-event-bytes', '1000000', '--keep-job-bytes', '2000000'],
  (lab) => {
    test('the oldest events go with a gap, the oldest jobs with 404, and the newest stay whole', async () => {
      const ids = await finishMany(lab, 60);
      const held = await idsHeld(lab);
      expect(held.length).toBeGreaterThan(25);
      expect(held.length).toBeLessThan(34); // 2,000,000 bytes of 60,000 each
      const [oldest, newest] = [ids[0], held[0]];
      expectProblem(await lab.get(`/jobs/${oldest}/result`), 404);
      expect((await lab.get(`/jobs/${newest}/result`)).text.length).toBeGreaterThan(60_000);
      expect((await lab.consume(`/jobs/${newest}/events`)).events.map(({ event }) => event)).toEqual([
        'queued',
        'started',
        'succeeded',
      ]);
      // Its events went long before the job did.
      expect(await lab.consume(`/jobs/${held.at(-1)}/events`)).toMatchObject({ gap: { oldest: null }, events: [] });
      const { events } = await lab.consume(`/events?after=${(await lab.consume('/events')).next}`);
      expect(events).toEqual([]);
    });

    test('a progress body of 1 KiB is bounded with them', async () => {
      const { jobId, links } = await lab.manual();
      for (let n = 0; n < 1_200; n++) await lab.progress(jobId, n / 1_200, { note: 'x'.repeat(980) });
      const first = await lab.consume(links.events);
      expect(first).toHaveProperty('gap');
      expect((await lab.consume(`${links.events}?after=${first.next}`)).events.length).toBeLessThan(1_000);
      await lab.finish(jobId);
    });
  },
);

const least = [
  ['--max-event-bytes', String(table.maxEventBytes[1])],
  ['--keep-job-bytes', String(table.keepJobBytes[1])],
].flat();
withSettings('the least bounds that the settings allow', least, (lab) => {
  // 1e20 is written again with 21 digits. A character that is not Latin-1 makes V8 take two bytes for each character.
  test.each(['result', 'error'])(
    'a body of 64 KiB that grows as far as JSON can: its %s and its last event stay',
    async (member) => {
      const start = `{"${member}":["€",1e20`;
      const count = Math.floor((64 * 1024 - Buffer.byteLength(start) - 2) / ',1e20'.length);
      const { jobId, links } = await lab.manual();
      const body = `${start}${',1e20'.repeat(count)}]}`;
      const headers = { 'Content-Type': 'application/json' };
      expect((await lab.request('POST', `${links.self}/finish`, { headers, body })).status).toBe(204);
      const job = await lab.job(jobId);
      expect(JSON.stringify(job[member as 'result' | 'error']).length).toBeGreaterThan(4 * body.length);
      const { events } = await lab.consume(links.events);
      expect(events.at(-1)?.data).toHaveProperty(member);
    },
  );
});

const lab = target();

test('no answer is larger than it need be: a page of jobs and a batch of events end after some bytes', async () => {
  const { next: start } = await lab.consume('/events');
  const ids = await finishMany(lab, 40);
  const page = await lab.get('/jobs?limit=1000');
  expect(page.text.length).toBeLessThan(MiB);
  expect(await idsHeld(lab)).toEqual(expect.arrayContaining(ids));
  const seen: string[] = [];
  for (let after = start; ; ) {
    const answer = await lab.get(`/events?after=${after}`, { Accept: 'application/json' });
    expect(answer.text.length).toBeLessThan(MiB);
    const { events, next } = answer.json<{ events: { event: string; data: { jobId: string } }[]; next: string }>();
    if (events.length === 0) break;
    for (const { event, data } of events) if (event === 'succeeded') seen.push(data.jobId);
    after = next;
  }
  expect(seen.filter((id) => ids.includes(id)).sort()).toEqual([...ids].sort());
});

ownServers('what is stored stays bounded', () => {
  const count = Number(process.env.SOAK_RESULTS ?? 700);
  const TIMEOUT_MS = 120_000 + 60 * count;

  test(
    `memory and disk, while ${count} jobs finish with results of 60 KB; and the folder is loaded again`,
    async () => {
      const data = await temporaryFolder();
      try {
        await withServer(
          [],
          async (server, client) => {
            await finishMany(client, 20);
            const { heapUsed } = await server.memory();
            await finishMany(client, count);
            // 32 MiB of events and 16 MiB of jobs, at most.
            expect((await server.memory()).heapUsed - heapUsed).toBeLessThan(70 * MiB);
          },
          { data, memoryProbe: true },
        );
        await withServer(
          [],
          async (server, client) => {
            expect((await idsHeld(client)).length).toBeGreaterThan(200);
            expect((await server.memory()).heapUsed).toBeLessThan(130 * MiB);
          },
          { data, memoryProbe: true },
        );
      } finally {
        await rm(data, { recursive: true, force: true });
      }
    },
    TIMEOUT_MS,
  );

  test('a folder that holds more than the bounds is loaded: the newest stay', async () => {
    const data = await temporaryFolder();
    try {
      const server = await startServer([], { data });
      const client = new Client(server.url);
      const ids = await finishMany(client, 60);
      const unfinished = await client.manual({ 'Idempotency-Key': randomUUID() });
      await server.crash();
      const less = ['--max-event-bytes', '600000', '--keep-job-bytes', '1000000', '--max-jobs', '1'];
      for (let round = 0; round < 2; round++) {
        await withServer(
          less,
          async (_, again) => {
            const held = await idsHeld(again);
            expect(held).toContain(unfinished.jobId);
            expect(held.length).toBeLessThan(18);
            expect(held.length).toBeGreaterThan(10);
            expect((await again.get(`/jobs/${held[1]}/result`)).status).toBe(200);
            expectProblem(await again.get(`/jobs/${ids[0]}`), 404);
            expectProblem(await again.post('/jobs', { kind: 'manual' }), 429);
            expect((await again.consume(unfinished.links.events)).events.map(({ event }) => event)).toEqual([
              'queued',
              'started',
            ]);
          },
          { data },
        );
      }
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });

  test('a follower that missed nothing is told of no gap, when others have pushed the oldest events out and the server starts again', async () => {
    const data = await temporaryFolder();
    const few = ['--max-events', '50'];
    try {
      const server = await startServer(few, { data });
      const client = new Client(server.url);
      const followed = await client.manual();
      const lost = await client.manual();
      await client.progress(followed.jobId, 0.25);
      const { next } = await client.consume(followed.links.events);
      for (let n = 0; n < 20; n++) await client.finished();
      await client.progress(followed.jobId, 0.5);
      await client.progress(lost.jobId, 0.5);
      await server.crash();
      await withServer(
        few,
        async (_, again) => {
          const page = await again.consume(`${followed.links.events}?after=${next}`);
          expect(page).not.toHaveProperty('gap');
          expect(page.events.map(({ data }) => data.progress)).toEqual([0.5]);
          const stream = await again.stream(followed.links.events, { 'Last-Event-ID': next });
          expect((await stream.next()).event).toBe('progress');
          stream.close();
          // A follower that begins at the beginning has missed something.
          expect(await again.consume(lost.links.events)).toMatchObject({ gap: {}, events: [{ event: 'progress' }] });
        },
        { data },
      );
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
});

withSettings('uploads on the disk are bounded', ['--max-stored-bytes', '100000', '--max-jobs', '5'], (few, server) => {
  const stored = () => readdir(join(server().data, 'uploads'));
  const slow = '?durationMs=600000';

  test('503 past the bound, also where no length was announced, and others are served; cancelled ones make room', async () => {
    const first = await few.upload('x'.repeat(60_000), { query: slow });
    expect(first.status).toBe(202);
    for (const body of [
      'y'.repeat(60_000),
      (async function* () {
        yield 'z'.repeat(60_000);
      })(),
    ]) {
      const refused = await few.upload(body);
      expectProblem(refused, 503);
      expectRetryAfter(refused);
    }
    expect(await stored()).toHaveLength(1);
    await few.finished();
    // Cancelled before their turn, uploads leave the disk and the queue at once, however many there are.
    for (let n = 0; n < 20; n++) {
      const waiting = await few.upload('w'.repeat(30_000));
      expect(waiting.status).toBe(202);
      await few.delete(waiting.job.links.self);
      await eventually(async () => ((await stored()).length === 1 ? true : undefined), 'one file to be left');
    }
    await few.delete(first.job.links.self);
    await eventually(async () => ((await stored()).length === 0 ? true : undefined), 'no file to be left');
    expect((await few.until((await few.upload('x'.repeat(90_000))).job.jobId)).state).toBe('failed');
  });
});

test('uploads that are arriving are bounded in number: 503 past the bound, others are served, and those that break off make room', async ({
  skip,
}) => {
  skip(hops, 'each server of a cluster bounds the uploads that arrive at it');
  const { httpsUrl } = (await lab.get('/healthz')).json<{ httpsUrl: string }>();
  const sessions = await Promise.all([1, 2, 3].map(() => Http2Client.connect(httpsUrl)));
  try {
    let refused = 0;
    const stalled = sessions.flatMap((session) =>
      Array.from({ length: 100 }, () => {
        const upload = session.send('POST', '/jobs', { 'content-type': 'video/mp4' }, false);
        upload.resume().write('x');
        upload.on('response', (headers) => {
          expect(headers[':status']).toBe(503);
          refused += 1;
        });
        return upload;
      }),
    );
    await eventually(async () => (refused === stalled.length - 256 ? true : undefined), '44 uploads to be refused');
    const answer = await lab.upload('x');
    expectProblem(answer, 503);
    expectRetryAfter(answer);
    await lab.finished();
  } finally {
    for (const session of sessions) session.close();
  }
  await eventually(async () => ((await lab.upload('x')).status === 202 ? true : undefined), 'an upload to be taken');
});

withSettings('uploads that stand still', ['--stall-ms', '2000'], (lab, server) => {
  test('make room for another: one of them is refused, and not one that goes on', async () => {
    const { httpsUrl } = (await lab.get('/healthz')).json<{ httpsUrl: string }>();
    const sessions = await Promise.all([1, 2, 3].map(() => Http2Client.connect(httpsUrl)));
    const refused: number[] = [];
    const uploads = Array.from({ length: 256 }, (_, n) => {
      const upload = sessions[n % 3]!.send('POST', '/jobs', { 'content-type': 'video/mp4' }, false);
      upload.resume().write('x');
      return upload.on('response', () => refused.push(n));
    });
    const goesOn = setInterval(() => uploads[0]!.write(Buffer.alloc(64 * 1024)), 100);
    const files = () => readdir(join(server().data, 'uploads'));
    try {
      await eventually(async () => ((await files()).length === 256 ? true : undefined), 'all to arrive');
      await eventually(async () => ((await lab.upload('x')).status === 202 ? true : undefined), 'a place');
      expect((await lab.upload('x')).status).toBe(202); // the place that it has left is free
      await eventually(async () => (refused.length > 0 ? true : undefined), 'one to be refused');
      expect(refused).toHaveLength(1);
      expect(refused).not.toContain(0);
    } finally {
      clearInterval(goesOn);
      for (const session of sessions) session.close();
    }
  });
});

test.each([
  ['/jobs?limit=0', 400],
  ['/jobs?limit=1', 200],
  ['/jobs?limit=1000', 200],
  ['/jobs?limit=1001', 400],
  ['/events?min=0', 200],
  ['/events?min=0&wait=60', 200],
  ['/events?min=1001', 400],
  ['/events?min=1&wait=0', 200],
  ['/events?wait=-1', 400],
  ['/events?wait=', 400],
])('a number in the query at its bounds: %s is %i, at once', async (path, status) => {
  const began = performance.now();
  expect((await lab.get(path, { Accept: 'application/json' })).status).toBe(status);
  expect(performance.now() - began).toBeLessThan(20_000);
});

test('min=0 never waits', async () => {
  const { links, jobId } = await lab.manual();
  const { next } = await lab.consume(links.events);
  for (const path of ['/events', links.events]) {
    const began = performance.now();
    const page = await lab.get(`${path}?min=0&after=${next}`, { Accept: 'application/json', Prefer: 'wait=60' });
    expect(page.json()).toMatchObject({ events: [] });
    expect(page.headers['preference-applied']).toBe('wait=60');
    expect(performance.now() - began).toBeLessThan(20_000);
  }
  await lab.finish(jobId);
});
