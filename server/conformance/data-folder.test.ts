import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, open, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import Database from 'libsql';
import { afterEach, expect, test } from 'vitest';
import { Client } from './client.js';
import { expectProblem, expectRetryAfter } from './expectations.js';
import { RawConnection } from './raw.js';
import { refused } from './refused.js';
import { LocalServer, ownServers, startServer, temporaryFolder, withServer } from './server.js';
import { eventually, within } from './within.js';

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await temporaryFolder();
  folders.push(made);
  return made;
}
afterEach(async () => {
  for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true });
});

/** A command that runs another one with a limit of the shell's (`ulimit`). */
const limited = (limit: string) => ['sh', '-c', `ulimit ${limit} && exec "$@"`, 'sh'];

ownServers('what the data folder holds of others is left alone', () => {
  test('in uploads: videos, links, folders, and names that are nearly ours', async () => {
    const data = await folder();
    const uploads = join(data, 'uploads');
    const elsewhere = join(await folder(), 'precious');
    await writeFile(elsewhere, 'precious');
    await mkdir(join(uploads, `${randomUUID()}.upload`), { recursive: true });
    await mkdir(join(uploads, 'a folder'));
    await symlink(elsewhere, join(uploads, `${randomUUID().replace(/.$/, '0')}.upload`));
    const names = [
      ...['holiday.mp4', 'holiday 2.mov', '.hidden', '-rf', 'a\nb', '$(true)', 'ü.webm', randomUUID()],
      ...[
        `${randomUUID()}.mp4`,
        `${randomUUID().toUpperCase()}.upload`,
        `x${randomUUID()}.upload`,
        `${randomUUID()}.upload.bak`,
      ],
    ];
    for (const name of names) await writeFile(join(uploads, name), name);
    const before = (await readdir(uploads)).sort();
    await withServer([], async (_, client) => void (await client.finished()), { data });
    expect((await readdir(uploads)).sort()).toEqual(before);
    for (const name of names) expect(await readFile(join(uploads, name), 'utf8')).toBe(name);
    expect(await readFile(elsewhere, 'utf8')).toBe('precious');
  });

  test('a database of another program: told in a plain sentence, and not a byte of it changed', async () => {
    const data = await folder();
    const file = join(data, 'log.db');
    const db = new Database(file);
    db.exec(`CREATE TABLE events (seq INTEGER PRIMARY KEY, title TEXT); INSERT INTO events VALUES (1, 'birthday')`);
    db.close();
    const before = await readFile(file);
    const { stderr } = await refused(data);
    expect(stderr).toContain(file);
    expect(stderr).toContain('another program');
    expect(await readFile(file)).toEqual(before);
    expect(await readdir(data)).toEqual(['log.db']);
  });

  test.each(['owner', 'log.head'])('a file "%s" of another program', async (name) => {
    const data = await folder();
    const file = join(data, name);
    await writeFile(file, 'Alice owns this\n');
    expect((await refused(data)).stderr).toContain(file);
    expect(await readFile(file, 'utf8')).toBe('Alice owns this\n');
  });

  test('a pipe that has the name of one of our files, and a folder that the system lets nobody make, end the start at once', async () => {
    const [data, other] = [await folder(), await folder()];
    const [owner, state] = [join(data, 'owner'), join(other, 'state.json')];
    execFileSync('mkfifo', [owner, state]);
    const nowhere = '/proc/no/such/folder';
    const starts = [
      { named: owner, server: new LocalServer([], data) },
      { named: nowhere, server: new LocalServer([], nowhere) },
      { named: state, server: new LocalServer(['--state', state], other) },
      { named: nowhere, server: new LocalServer(['--state', `${nowhere}/state.json`], join(other, 'data')) },
    ];
    try {
      for (const { named, server } of starts) {
        expect((await within(server.exited, `the server to give up ${named}`, 80_000)).code).toBeGreaterThan(0);
        expect(server.stderr).toContain(named);
        expect(server.stderr).toMatch(/choose another (folder|one)/i);
        expect(server.stderr).not.toMatch(/\n\s+at /);
      }
    } finally {
      for (const { server } of starts) server.kill('SIGKILL');
    }
  });

  test('what a job of a strange data folder names as its upload', async () => {
    const data = await folder();
    const strange = await folder();
    await writeFile(join(strange, 'precious.mp4'), 'precious');
    const server = await startServer([], { data });
    await new Client(server.url).upload('x', { query: '?durationMs=600000' });
    await server.stop();
    const db = new Database(join(data, 'log.db'));
    const [{ record }] = db.prepare('SELECT record FROM jobs').all() as [{ record: string }];
    const changed = record.replace(/[^"]+\.upload/, '../precious.mp4');
    db.prepare('UPDATE jobs SET record = ?, crc = ?').run(changed, crc32(changed));
    db.close();
    await cp(data, strange, { recursive: true }); // this process may keep its lock on the first one
    expect((await refused(strange)).stderr).toContain('A job names "../precious.mp4", which is no upload');
    expect(await readFile(join(strange, 'precious.mp4'), 'utf8')).toBe('precious');
  });

  test('but empty files of our names are ours: a kill or a full disk leaves them', async () => {
    const data = await folder();
    for (const name of ['owner', 'log.head', 'log.db']) await writeFile(join(data, name), '');
    await withServer([], async (_, client) => void (await client.finished()), { data });
  });

  test('a file that --state names and that is no state file, or that the state would stand below', async () => {
    const data = await folder();
    const file = join(data, 'notes.txt');
    await writeFile(file, 'my notes');
    for (const state of [file, join(file, 'state.json')]) {
      const server = new LocalServer(['--state', state], join(data, 'data'));
      expect((await within(server.exited, 'the server to give up', 80_000)).code).toBe(2);
      expect(server.stderr).toContain(state);
      expect(server.stderr).not.toMatch(/\n\s+at /);
    }
    expect(await readFile(file, 'utf8')).toBe('my notes');
  });
});

ownServers('two servers that start on one folder at the same moment', () => {
  test('one of them serves, and the other says which one does', async () => {
    for (let round = 0; round < 3; round++) {
      const data = await folder();
      const servers = [0, 1].map(() => new LocalServer([], data));
      try {
        const outcomes = await Promise.allSettled(servers.map((server) => server.ready()));
        const ready = servers.filter((_, n) => outcomes[n]?.status === 'fulfilled');
        expect(ready, servers.map(({ stderr }) => stderr).join('\n')).toHaveLength(1);
        const loser = servers.find((server) => server !== ready[0]) as LocalServer;
        expect((await loser.exited).code).toBeGreaterThan(0);
        expect(loser.stderr).toContain(`process ${ready[0]?.pid}`);
        expect(loser.stderr).not.toMatch(/\n\s+at /);
        await new Client(ready[0]?.url).finished();
      } finally {
        for (const server of servers) await server.crash();
      }
    }
  });
});

ownServers('damage', () => {
  /** A folder whose server was killed, with its last commits in SQLite's journal. */
  async function killed(jobs: number): Promise<string> {
    const data = await folder();
    const server = await startServer([], { data });
    const client = new Client(server.url);
    for (let n = 0; n < jobs; n++) await client.finished({ result: { n, filler: 'x'.repeat(300) } });
    await server.crash();
    return data;
  }

  async function flip(file: string, at: number, bit = 2): Promise<void> {
    const handle = await open(file, 'r+');
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    byte[0] = (byte[0] as number) ^ (1 << bit);
    await handle.write(byte, 0, 1, at);
    await handle.close();
  }

  test.each([
    ['its header', () => 20],
    ['its middle', (size: number) => Math.floor(size / 2)],
    ['its last page', (size: number) => size - 100],
  ])('a flipped bit in the journal, in %s, is told, and the journal left as it is', async (_, place) => {
    const data = await killed(12);
    const journal = join(data, 'log.db-wal');
    await flip(journal, place((await stat(journal)).size));
    const before = await readFile(journal);
    const { stderr } = await refused(data);
    expect(stderr).toContain(data);
    expect(stderr).toMatch(/damaged \(events \d+ to \d+ were told/);
    expect(await readFile(journal)).toEqual(before);
    await refused(data); // and it is told again
  });

  test('a flipped bit in a stored text is told, though it leaves no text and the database is sound to SQLite', async () => {
    const data = await killed(3);
    await withServer([], async () => {}, { data }); // the journal is taken in
    const file = join(data, 'log.db');
    const at = (await readFile(file)).lastIndexOf('xxxxxx');
    expect(at).toBeGreaterThan(0);
    await flip(file, at, 7); // no longer UTF-8
    expect((await refused(data)).stderr).toMatch(/damaged \((event|job) \S+ has changed\)/);
  });

  test('a journal cut short by a power cut costs the last moments, says so, and gives no id twice', async () => {
    const data = await folder();
    const server = await startServer([], { data });
    const client = new Client(server.url);
    for (let n = 0; n < 5; n++) await client.finished();
    const kept = await readFile(join(data, 'log.db-wal'));
    const last = await client.finished();
    const { next } = await client.consume(last.links.events);
    await server.crash();
    await writeFile(join(data, 'log.db-wal'), kept);
    // A machine that starts again has another boot id: this one's is replaced by one that is none.
    const head = join(data, 'log.head');
    const told = `${/^log head \d+ /.exec(await readFile(head, 'utf8'))?.[0]}another-boot`;
    await writeFile(head, `${`${told} ${crc32(told).toString(16).padStart(8, '0')}`.padEnd(79)}\n`);
    await withServer(
      [],
      async (again, reader) => {
        expect(again.stderr).toMatch(/events \d+ to \d+ were told to clients and are missing/);
        expect((await reader.get(`/jobs/${last.jobId}`)).status).toBe(404);
        await reader.finished();
        expect(await reader.consume(`/events?after=${next}`)).toHaveProperty('gap');
      },
      { data },
    );
    await withServer([], async ({ stderr }) => expect(stderr).toBe(''), { data });
  });
});

ownServers('an upload that cannot be stored', () => {
  const small = 'x'.repeat(1_000);

  test('since the folder of the uploads was removed', async () => {
    await withServer([], async ({ data, stderr }, client) => {
      await rename(join(data, 'uploads'), join(data, 'elsewhere'));
      for (const body of [small, small.repeat(1_000)]) {
        const answer = await client.upload(body);
        expectProblem(answer, 503);
        expectRetryAfter(answer);
      }
      expect(stderr).toBe('');
      await rename(join(data, 'elsewhere'), join(data, 'uploads'));
      expect((await client.upload(small)).status).toBe(202);
    });
  });

  test('since no descriptor is left', async () => {
    await withServer(
      [],
      async (server, client) => {
        const raw = await RawConnection.connect(server.url);
        await raw.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
        await raw.response();
        const { hostname, port } = new URL(server.url);
        const sockets = Array.from({ length: 300 }, () => net.connect(Number(port), hostname).on('error', () => {}));
        try {
          const descriptors = () => readdir(`/proc/${server.pid}/fd`);
          await eventually(
            async () => ((await descriptors()).length === 256 ? true : undefined),
            'no descriptor to be left',
          );
          await raw.send(
            `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: ${small.length}\r\n\r\n${small}`,
          );
          const [, answer] = await raw.responses(2);
          expect([answer?.status, Number(answer?.headers['retry-after']) > 0]).toEqual([503, true]);
        } finally {
          for (const socket of sockets) socket.destroy();
          raw.close();
        }
        // Until the server has closed its ends, it can't accept: the connection of a try may be closed without an answer.
        const stored = () =>
          client.upload(small).then(
            ({ status }) => status === 202 || undefined,
            () => undefined,
          );
        await eventually(stored, 'an upload that is stored again');
      },
      { wrapper: limited('-n 256') },
    );
  });

  test('since no file may grow so large: nothing is left of it, and the server ends without a stack', async () => {
    const data = await folder();
    // 512-byte blocks: 4 MiB. A file system without room says the same to the server, in other words.
    const server = await startServer([], { data, wrapper: limited('-f 8192') });
    const client = new Client(server.url);
    const kept = await client.finished();
    const answer = await client.upload('x'.repeat(6 * 1024 * 1024));
    expectProblem(answer, 503);
    expectRetryAfter(answer);
    expect(await readdir(join(data, 'uploads'))).toEqual([]);
    const told: string[] = [];
    const full = await eventually(async () => {
      const answer = await client.post('/jobs', { kind: 'manual' });
      if (answer.status !== 202) return answer;
      const { jobId } = answer.job;
      told.push(jobId);
      const end = await client.post(`/jobs/${jobId}/finish`, { result: 'x'.repeat(60_000) });
      return end.status === 204 ? undefined : end;
    }, 'a database that cannot grow');
    expectProblem(full, 503);
    expectRetryAfter(full);
    await server.stop();
    expect(server.stderr).not.toMatch(/\n\s+at /);
    await withServer(
      [],
      async (_, again) => {
        expect(await again.job(kept.jobId)).toEqual(kept);
        for (const jobId of told) expect((await again.get(`/jobs/${jobId}`)).status).toBe(200);
      },
      { data },
    );
  });
});
