import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Answer, type Client, newExperiment } from './client.js';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { RawConnection } from './raw.js';
import { hops, OWN_QUEUE, ownServers, target, withServer, withSettings } from './server.js';
import type { JobPage } from './types.js';
import { eventually, within } from './within.js';

const lab = target();
// Made by: ffmpeg -f lavfi -i testsrc=size=64x48:rate=10:duration=1 -pix_fmt yuv420p -fflags +bitexact
// -flags:v +bitexact -c:v libx264 -movflags +faststart clip.mp4 (-c:v libvpx -b:v 20k clip.webm)
const clip = await readFile(new URL('./fixtures/clip.mp4', import.meta.url));
const webm = await readFile(new URL('./fixtures/clip.webm', import.meta.url));
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function* inChunks(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function resultOf(answer: Answer) {
  expect(answer.status).toBe(202);
  expectRetryAfter(answer);
  expect(answer.headers.location).toBe(`/jobs/${answer.job.jobId}`);
  expect(answer.job.kind).toBe('video');
  const job = await lab.until(answer.job.jobId);
  expect(job.state, JSON.stringify(job.error)).toBe('succeeded');
  expect(job.progress).toBe(1);
  return job.result as Record<string, unknown>;
}

describe('POST /jobs with Content-Type: video/* or application/octet-stream', () => {
  test('the job really reads the video: bytes, SHA-256, container, codec, width, height, durationMs', async () => {
    const result = await resultOf(await lab.upload(clip));
    expect(result).toMatchObject({
      bytes: clip.length,
      sha256: sha256(clip),
      container: expect.stringMatching(/mp4|mpeg-?4/i),
      codec: expect.stringMatching(/avc|h\.?264/i),
      width: 64,
      height: 48,
      durationMs: 1000,
    });
  });

  test('whatever the container', async () => {
    const result = await resultOf(await lab.upload(webm, { type: 'video/webm' }));
    expect(result).toMatchObject({
      bytes: webm.length,
      sha256: sha256(webm),
      container: expect.stringMatching(/webm|matroska/i),
      codec: expect.stringMatching(/vp8/i),
      width: 64,
      height: 48,
    });
  });

  test('application/octet-stream is a video too', async () => {
    const result = await resultOf(await lab.upload(clip, { type: 'application/octet-stream' }));
    expect(result.sha256).toBe(sha256(clip));
  });

  test('chunked, byte for byte the same', async () => {
    const result = await resultOf(await lab.upload(inChunks(clip, 100)));
    expect(result).toMatchObject({ bytes: clip.length, sha256: sha256(clip) });
  });

  test('with Expect: 100-continue, the server says go on (RFC 9110, section 10.1.1)', async () => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(
      `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: ${clip.length}\r\nExpect: 100-continue\r\n\r\n`,
    );
    const [first] = await raw.responses(1);
    expect(first?.status).toBe(100);
    await raw.send(clip);
    const [, final] = await raw.responses(2);
    expect(final?.status).toBe(202);
    raw.close();
  });

  test('a large one is read as it was sent', async () => {
    // A clip with a long `free` box at its end, which players skip.
    const free = randomBytes(8 * 1024 * 1024);
    free.writeUInt32BE(free.length, 0);
    free.write('free', 4, 'latin1');
    const video = Buffer.concat([clip, free]);
    const result = await resultOf(await lab.upload(inChunks(video, 60_000)));
    expect(result).toMatchObject({ bytes: video.length, sha256: sha256(video), width: 64 });
  });

  test('a file that is no video is no error of the server: the job fails and says what was found', async () => {
    const answer = await lab.upload(Buffer.from('Dear reader, this is a letter.'));
    expect(answer.status).toBe(202);
    const job = await lab.until(answer.job.jobId);
    expect(job.state).toBe('failed');
    expect(job.result).toBeNull();
    expect(job.error?.title).toMatch(/\S/);
    expect(job.error?.detail).toMatch(/\S/);
    expectProblem(await lab.get(job.links.result), 409);
  });

  test('what cannot be known is null', async () => {
    // The head alone: a container is announced, and nothing that would tell of its frames.
    const head = webm.subarray(0, 300);
    const job = await lab.until((await lab.upload(head, { type: 'video/webm' })).job.jobId);
    if (job.state === 'failed') return void expect(job.error?.detail).toMatch(/\S/);
    const { bytes, sha256: hash, ...media } = job.result as Record<string, unknown>;
    expect([bytes, hash]).toEqual([head.length, sha256(head)]);
    expect(Object.keys(media).sort()).toEqual(['codec', 'container', 'durationMs', 'height', 'width']);
    for (const value of Object.values(media)) expect(value).not.toBe(undefined);
    expect(Object.values(media)).toContain(null);
  });

  test('with ?durationMs= its job lasts that long', async () => {
    const answer = await lab.upload(clip, { query: '?durationMs=300' });
    const job = await lab.until(answer.job.jobId);
    expect(job.state).toBe('succeeded');
    const lasted = Date.parse(job.finishedAt ?? '') - Date.parse(job.startedAt ?? '');
    expect(lasted).toBeGreaterThanOrEqual(298);
  });

  test.each(['-1', '1.5', 'long', '', '600001'])('400 for ?durationMs=%s', async (duration) => {
    expectProblem(await lab.upload(clip, { query: `?durationMs=${duration}` }), 400);
  });

  test("an upload's job tells at most 100 times of its progress, never backwards", async () => {
    const { jobId } = (await lab.upload(randomBytes(6 * 1024 * 1024))).job;
    await lab.until(jobId);
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    const progress = events.filter(({ event }) => event === 'progress');
    expect(progress.length).toBeGreaterThan(0);
    expect(progress.length).toBeLessThanOrEqual(100);
    const told = events.map(({ data }) => data.progress);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });

  test('uploads take turns', async ({ skip }) => {
    skip(hops, OWN_QUEUE);
    const first = (await lab.upload(clip, { query: '?durationMs=600000' })).job;
    await lab.until(first.jobId, 'running');
    const second = (await lab.upload(clip)).job;
    const third = (await lab.upload(webm)).job;
    expect((await lab.job(second.jobId)).state).toBe('queued');
    expect((await lab.job(third.jobId)).state).toBe('queued');
    await lab.delete(`/jobs/${first.jobId}`);
    const ends = [await lab.until(second.jobId), await lab.until(third.jobId)];
    expect(ends.map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
    expect(Date.parse(ends[1]?.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(ends[0]?.finishedAt ?? ''));
  });

  test('202 once the body is stored: not before its last byte', async () => {
    const experiment = newExperiment();
    const raw = await RawConnection.connect(lab.base);
    await raw.send(
      `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: ${clip.length}\r\nExperiment: ${experiment}\r\n\r\n`,
    );
    await raw.send(clip.subarray(0, -1));
    await lab.held(experiment);
    expect(raw.received).toBe('');
    await raw.send(clip.subarray(-1));
    expect((await raw.response('POST')).status).toBe(202);
    raw.close();
  });

  test('an upload that breaks off leaves no job', async () => {
    const newest = async () => (await lab.get('/jobs?limit=1')).json<JobPage>().jobs.map(({ jobId }) => jobId);
    const before = await newest();
    const experiment = newExperiment();
    const raw = await RawConnection.connect(lab.base);
    await raw.send(
      `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: ${clip.length}\r\nExperiment: ${experiment}\r\n\r\n`,
    );
    await raw.send(clip.subarray(0, 1000));
    await lab.held(experiment);
    raw.close();
    await lab.settled(experiment, 1);
    expect(await newest()).toEqual(before);
  });
});

// Of 2,000,000 keys of MXF, each without a value: MediaInfo takes minutes for them.
const slow = Buffer.alloc(48_000_000, Buffer.from('060e2b34020501010d010201010204008300000400000000', 'hex'));
/** An MP4 whose tables of samples are empty and large: MediaInfo takes several times their memory. */
function largeTables(): Buffer {
  const box = (type: string, ...parts: Buffer[]) => {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(
      parts.reduce((sum, { length }) => sum + length, 8),
      0,
    );
    header.write(type, 4, 'latin1');
    return Buffer.concat([header, ...parts]);
  };
  const moov = box('moov', box('trak', box('mdia', box('minf', box('stbl', box('stsz', Buffer.alloc(300_000_000)))))));
  return Buffer.concat([box('ftyp', Buffer.from('isom\0\0\x02\0isommp41', 'latin1')), moov]);
}

ownServers('videos whose headers are made to keep the server busy', () => {
  /** Uploads the slow one, and waits until MediaInfo reads its headers. */
  const beginSlow = async (client: Client) => {
    const { jobId } = (await client.upload(slow)).job;
    const read = async () => ((await client.job(jobId)).progress === 1 ? true : undefined);
    await eventually(read, 'the file to be read');
    return jobId;
  };
  const succeeds = async (client: Client) =>
    expect((await client.until((await client.upload(clip)).job.jobId)).state).toBe('succeeded');

  test('too slow: others are served meanwhile, the job fails after 10 s and says why, and the next video is read', async () => {
    await withServer([], async (_, client) => {
      const jobId = await beginSlow(client);
      let answers = 0;
      while ((await client.job(jobId)).state === 'running') answers += 1;
      expect(answers).toBeGreaterThan(2); // in the thread of the server, MediaInfo would hold them up until then
      expect((await client.job(jobId)).error?.detail).toMatch(
        /^Expected .* 10 s .* got one that takes longer\. Upload /,
      );
      await succeeds(client);
    });
  });

  test('too large in memory: the job fails and says why, and the next video is read', async () => {
    await withServer([], async (_, client) => {
      const { jobId } = (await client.upload(largeTables())).job;
      expect((await client.until(jobId)).error?.detail).toMatch(/^Expected .* 256 MiB .* takes more memory\. Upload /);
      await succeeds(client);
    });
  });

  test('one that is cancelled makes room for the next at once, and one that is being read does not hold up the end', async () => {
    await withServer(['--grace-ms', '1000'], async (server, client) => {
      const cancelled = (await client.delete(`/jobs/${await beginSlow(client)}`)).job;
      const next = await client.until((await client.upload(clip)).job.jobId);
      expect(next.state).toBe('succeeded');
      // By the server's own clock: MediaInfo would have gone on for 10 s.
      expect(Date.parse(next.startedAt!) - Date.parse(cancelled.finishedAt!)).toBeLessThan(9_000);
      await beginSlow(client);
      server.kill('SIGTERM');
      expect(await within(server.exited, 'the server to exit', 9_000)).toEqual({ code: 0, signal: null });
    });
  });
});

withSettings('an upload that is too large', ['--max-upload-bytes', '5000'], (small) => {
  test('413 at once, by its Content-Length, before the body is sent', async () => {
    const raw = await RawConnection.connect(small.base);
    await raw.send('POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 5001\r\n\r\n');
    const answer = await raw.response('POST');
    expect(answer.status).toBe(413);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(JSON.parse(answer.body).detail).toContain('5000');
    raw.close();
  });

  test('413 instead of 100 Continue for Expect: 100-continue', async () => {
    const raw = await RawConnection.connect(small.base);
    await raw.send(
      'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 5001\r\nExpect: 100-continue\r\n\r\n',
    );
    const [first] = await raw.responses(1, ['POST']);
    expect(first?.status).toBe(413);
    raw.close();
  });

  test('413 for a chunked one, as soon as it is known', async () => {
    const raw = await RawConnection.connect(small.base);
    await raw.send(
      'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    await raw.send(`1388\r\n${'x'.repeat(5000)}\r\n`);
    await raw.send('1\r\nx\r\n');
    expect((await raw.response('POST')).status).toBe(413);
    raw.close();
  });

  test('the client that goes on sending still gets to read the answer', async () => {
    const answer = await small.upload(inChunks(Buffer.alloc(4 * 1024 * 1024), 65_536));
    expectProblem(answer, 413);
  });

  test('one of exactly that size is taken, and nothing is left of the others', async () => {
    const full = await small.upload(Buffer.alloc(5000));
    expect(full.status).toBe(202);
    const { jobs } = (await small.get('/jobs')).json<JobPage>();
    expect(jobs.map(({ jobId }) => jobId)).toEqual([full.job.jobId]);
  });
});
