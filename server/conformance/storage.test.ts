import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, type TestContext, test } from 'vitest';
import { need } from '../../scripts/test/need.js';
import { Client } from './client.js';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { filesOf, folderHolds } from './files.js';
import { refused } from './refused.js';
import { ownServers, startServer, temporaryFolder, withServer } from './server.js';
import { eventually } from './within.js';

ownServers('the data folder', () => {
  const folders: string[] = [];
  const folder = async () => {
    const made = await temporaryFolder();
    folders.push(made);
    return made;
  };
  afterEach(async () => {
    for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true });
  });

  test('of two servers on one, the second says who has it, and the first is not disturbed', async () => {
    const data = await folder();
    await withServer(
      [],
      async (first, client) => {
        const job = await client.manual();
        const second = await refused(data);
        expect(second.stderr).toContain(String(first.pid));
        await client.finish(job.jobId);
        expect((await client.job(job.jobId)).state).toBe('succeeded');
      },
      { data },
    );
  });

  test('of a server that was killed is free for the next', async () => {
    const data = await folder();
    const first = await startServer([], { data });
    const { jobId } = await new Client(first.url).manual();
    await first.crash();
    await withServer([], async (_, client) => client.finish(jobId), { data });
  });

  test('is made where there is none', async () => {
    const data = join(await folder(), 'a', 'b with a space', 'ü');
    await withServer([], async (_, client) => void (await client.finished()), { data });
    expect((await stat(data)).isDirectory()).toBe(true);
  });

  test('that is damaged is told in a plain sentence, and not written over', async () => {
    const data = await folder();
    const server = await startServer([], { data });
    const client = new Client(server.url);
    for (let n = 0; n < 50; n++) await client.finished();
    await server.stop();
    const sizes = await Promise.all(
      (await filesOf(data)).map(async (file) => ({ file, size: (await stat(file)).size })),
    );
    const largest = sizes.sort((a, b) => b.size - a.size)[0]?.file ?? '';
    await writeFile(largest, randomBytes(64 * 1024));
    const damaged = await readFile(largest);
    const next = await refused(data);
    expect(next.stderr).toContain(data);
    expect(await readFile(largest)).toEqual(damaged);
  });

  test('that is damaged in its middle never becomes a wrong answer', async () => {
    const data = await folder();
    const server = await startServer([], { data });
    const client = new Client(server.url);
    for (let n = 0; n < 80; n++) await client.finished({ result: { n, filler: 'x'.repeat(500) } });
    await server.stop();
    const sizes = await Promise.all(
      (await filesOf(data)).map(async (file) => ({ file, size: (await stat(file)).size })),
    );
    const { file = '', size = 0 } = sizes.sort((a, b) => b.size - a.size)[0] ?? {};
    const handle = await open(file, 'r+');
    await handle.write(randomBytes(8192), 0, 8192, Math.floor(size / 2 / 4096) * 4096);
    await handle.close();
    const next = await refused(data);
    expect(next.stderr).toContain(data);
  });

  test('that is no folder is told in a plain sentence', async () => {
    const data = join(await folder(), 'file');
    await writeFile(data, 'a file');
    const end = await refused(data);
    expect(end.stderr).toContain(data);
    expect(await readFile(data, 'utf8')).toBe('a file');
  });

  /** Starts a server that may only read a folder, and that is expected to say so. */
  async function refusedWithReadOnly(readOnly: string, data: string) {
    const root = process.getuid?.() === 0;
    const mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
    if (!root) await chmod(readOnly, 0o500);
    const end = await refused(data, { wrapper: root ? ['unshare', '-m', 'sh', '-c', mount, readOnly] : [] });
    if (!root) await chmod(readOnly, 0o700);
    expect(end.stderr).toContain(readOnly);
  }
  // Permissions do not bind root: there, a mount does.
  const needReadOnly = (context: TestContext) =>
    need(
      context,
      process.getuid?.() !== 0 || canMount(),
      'mount namespaces (unshare -m), since root may write anywhere',
    );

  test('that may only be read is told in a plain sentence', async (context) => {
    needReadOnly(context);
    const data = await folder();
    await withServer([], async (_, client) => void (await client.finished()), { data });
    await refusedWithReadOnly(data, data);
    // Nothing was lost by the attempt.
    await withServer(
      [],
      async (_, client) => {
        const { jobs } = (await client.get('/jobs')).json<{ jobs: unknown[] }>();
        expect(jobs).toHaveLength(1);
      },
      { data },
    );
  });

  test('whose uploads may only be read is told in a plain sentence', async (context) => {
    needReadOnly(context);
    const data = await folder();
    await mkdir(join(data, 'uploads'));
    await writeFile(join(data, 'uploads', `${randomUUID()}.upload`), 'what a kill has left');
    await refusedWithReadOnly(join(data, 'uploads'), data);
  });

  test('on a full disk: 503 with Retry-After, nothing silently lost, and on with the work when there is room', async (context) => {
    need(context, canMount(), 'mount namespaces (unshare -m), to make a small disk');
    const data = await folder();
    await mkdir(join(data, 'disk'));
    // A disk of 8 MiB in a namespace of the server's own: it is gone with the process.
    const disk = join(data, 'disk');
    const small = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"';
    const server = await startServer([], {
      data: disk,
      wrapper: [...unshare(), 'sh', '-c', small, disk],
    });
    try {
      const client = new Client(server.url);
      const told = [await client.finished(), await client.finished()];
      const waiting = await client.manual();

      // An upload that does not fit leaves nothing.
      const large = await client.upload(Buffer.alloc(12 * 1024 * 1024));
      expectProblem(large, 503);
      expectRetryAfter(large);
      expect((await client.manual()).state).toMatch(/queued|running/);

      // Then the disk is filled to the last byte by somebody else.
      const inside = `/proc/${server.pid}/root${disk}`;
      await fill(join(inside, 'ballast'));
      const answers = await eventually(
        async () => {
          const answer = await client.post('/jobs', {
            kind: 'manual',
            note: 'x'.repeat(30_000),
          });
          if (answer.status !== 202) return answer;
          told.push(answer.job);
          return undefined;
        },
        'a submit that cannot be stored',
        60_000,
      );
      expectProblem(answers, 503);
      expectRetryAfter(answers);
      expectProblem(await client.upload(Buffer.alloc(100_000)), 503);

      // Reading goes on, and what was refused has not happened.
      expect((await client.get('/healthz')).status).toBe(200);
      for (const job of told) expect((await client.get(job.links.self)).status).toBe(200);
      expect((await client.job(waiting.jobId)).state).toBe('running');

      await rm(join(inside, 'ballast'));
      const after = await client.finished();
      await client.finish(waiting.jobId, { result: 'in the end' });
      expect((await client.job(waiting.jobId)).result).toBe('in the end');
      expect((await client.job(after.jobId)).state).toBe('succeeded');
      for (const job of told) expect((await client.get(job.links.self)).status).toBe(200);
    } finally {
      await server.stop();
    }
  });
});

ownServers('a server that was killed', () => {
  test('keeps what it told: jobs, events, results, and finds a job by its Idempotency-Key', async () => {
    const data = await temporaryFolder();
    try {
      const server = await startServer([], { data });
      const client = new Client(server.url);
      const headers = { 'Idempotency-Key': randomUUID() };
      const finished = await client.finished({ result: { kept: 'ü' } });
      const running = await client.manual(headers);
      await client.progress(running.jobId, 0.5, { note: 'half' });
      const { events } = await client.consume(running.links.events);
      await server.crash();

      await withServer(
        [],
        async (_, again) => {
          expect(await again.job(finished.jobId)).toEqual(finished);
          expect((await again.consume(running.links.events)).events).toEqual(events);
          expect((await again.manual(headers)).jobId).toBe(running.jobId);
          expectProblem(await again.post('/jobs', { kind: 'manual', n: 1 }, headers), 422);
          const stream = await again.stream(running.links.events, {
            'Last-Event-ID': events.at(-1)?.id ?? '',
          });
          await again.finish(running.jobId);
          expect((await stream.next()).event).toBe('succeeded');
          stream.close();
        },
        { data },
      );
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });

  test('goes on with unfinished work from its last recorded step', async () => {
    const data = await temporaryFolder();
    try {
      const server = await startServer([], { data });
      const client = new Client(server.url);
      const { jobId, links } = await client.simulated({ durationMs: 1000, steps: 20 });
      const stream = await client.stream(links.events);
      const seen = [...(await stream.upTo('progress')), ...(await stream.take(4))];
      await server.crash();
      await withServer(
        [],
        async (_, again) => {
          const rest = await again.stream(links.events, {
            'Last-Event-ID': seen.at(-1)?.id ?? '',
          });
          const events = [...seen, ...(await rest.toTheEnd())];
          rest.close();
          expect(events.filter(({ event }) => event === 'progress').map(({ data }) => data.progress)).toEqual(
            Array.from({ length: 20 }, (_, n) => (n + 1) / 20),
          );
          expect((await again.job(jobId)).result).toEqual({ steps: 20, durationMs: 1000 });
        },
        { data },
      );
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });

  test('a half-received upload leaves nothing', async () => {
    const data = await temporaryFolder();
    try {
      const server = await startServer([], { data });
      const client = new Client(server.url);
      const mark = randomBytes(64);
      const sent = (async function* () {
        for (let n = 0; n < 64; n++) yield Buffer.concat(Array(64).fill(mark));
        await eventually(async () => (await folderHolds(data, mark)) || undefined, 'bytes on the disk');
        server.kill('SIGKILL');
      })();
      await expect(client.upload(sent)).rejects.toThrow();
      await server.exited;
      expect(await folderHolds(data, mark)).toBe(true);
      await withServer(
        [],
        async (_, again) => {
          expect((await again.get('/jobs')).json().jobs).toEqual([]);
          expect(await folderHolds(data, mark)).toBe(false);
        },
        { data },
      );
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
});

const unshare = () => (process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm']);

function canMount(): boolean {
  try {
    const [program = '', ...args] = unshare();
    execFileSync(program, [...args, 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Writes until there is no room, to the byte. */
async function fill(path: string): Promise<void> {
  const handle = await open(path, 'w');
  try {
    for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2)) {
      for (;;) {
        const written = await handle.write(Buffer.alloc(size, 1)).then(
          ({ bytesWritten }) => bytesWritten,
          () => 0,
        );
        if (written < size) break;
      }
    }
  } finally {
    await handle.close();
  }
}
