import { rm } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { Client, newExperiment } from './client.js';
import { RawConnection } from './raw.js';
import { FRAME, fields, frame, plainConnection, RawHttp2, secureConnection } from './raw-http2.js';
import { type LocalServer, ownServers, startServer, withServer } from './server.js';
import { within } from './within.js';

/** Runs a server that the callback stops itself. */
async function stopping(flags: string[], use: (server: LocalServer, client: Client) => Promise<void>): Promise<void> {
  const server = await startServer(flags);
  try {
    await use(server, new Client(server.url));
  } finally {
    server.kill('SIGKILL');
    await server.exited;
    await rm(server.data, { recursive: true, force: true });
  }
}

async function gone(server: LocalServer): Promise<void> {
  const exit = await within(server.exited, () => `the server to exit; ${server.stderr}`, 30_000);
  expect(exit, server.stderr).toEqual({ code: 0, signal: null });
}

ownServers('SIGTERM', () => {
  test('a server ends with the process that started it, also when that is killed', async () => {
    await stopping([], async (server) => {
      server.abandon();
      await gone(server);
    });
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('an idle server exits with 0 on %s', async (signal) => {
    await stopping([], async (server) => {
      server.kill(signal);
      await gone(server);
    });
  });

  test('the streams are ended, not cut, so that clients come back', async () => {
    await stopping([], async (server, client) => {
      const { links } = await client.manual();
      const streams = [
        await client.stream(links.events),
        await client.stream('/events'),
        await client.stream('/traffic'),
      ];
      for (const stream of streams) await stream.opened();
      server.kill('SIGTERM');
      for (const stream of streams) await within(stream.ended, 'the stream to end');
      await gone(server);
    });
  });

  test('those who wait are answered or let go: none hangs', async () => {
    await stopping([], async (server, client) => {
      const experiment = newExperiment();
      const { links } = await client.manual();
      const headers = { Prefer: 'wait=60', Experiment: experiment };
      const polls = [
        client.get(links.result, headers),
        client.get(`${links.events}?min=9`, { ...headers, Accept: 'application/json' }),
        client.post('/jobs', { kind: 'manual' }, headers),
      ];
      const settled = Promise.allSettled(polls);
      await client.held(experiment, 3);
      server.kill('SIGTERM');
      for (const outcome of await within(settled, 'the answers to those who wait')) {
        if (outcome.status === 'fulfilled') {
          expect([200, 202, 503]).toContain(outcome.value.status);
        }
      }
      await gone(server);
    });
  });

  test('a connection that a client keeps alive does not hold up the end', async () => {
    await stopping(['--grace-ms', '60000'], async (server, client) => {
      const experiment = newExperiment();
      const { links } = await client.manual();
      const raw = await RawConnection.connect(server.url);
      await raw.send(
        `GET ${links.result} HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\nExperiment: ${experiment}\r\n\r\n`,
      );
      await client.held(experiment);
      server.kill('SIGTERM');
      const { status, headers } = await raw.response();
      expect([status, headers.connection]).toEqual([202, 'close']);
      await gone(server);
    });
  });

  test('what can finish is finished: an upload on its way is still stored', async () => {
    await stopping([], async (server, client) => {
      const experiment = newExperiment();
      const raw = await RawConnection.connect(server.url);
      await raw.send(
        `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 10\r\nExperiment: ${experiment}\r\n\r\n12345`,
      );
      await client.held(experiment);
      server.kill('SIGTERM');
      await refusing(server.url);
      await raw.send('67890');
      expect((await raw.response('POST')).status).toBe(202);
      raw.close();
      await gone(server);
    });
  });

  test('but not for longer than its stated time', async () => {
    await stopping(['--grace-ms', '300'], async (server, client) => {
      const experiment = newExperiment();
      const stuck = await RawConnection.connect(server.url);
      await stuck.send(
        `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 10\r\nExperiment: ${experiment}\r\n\r\n12345`,
      );
      await client.held(experiment);
      const idle = await RawConnection.connect(server.url);
      server.kill('SIGTERM');
      await within(stuck.closed, 'the stuck upload to be cut');
      await gone(server);
      idle.close();
    });
  });

  test('a request whose head has not arrived whole does not hold up the end, and is not processed', async () => {
    await stopping(['--grace-ms', '600000'], async (server, client) => {
      const { httpsUrl } = (await client.get('/healthz')).json<{ httpsUrl: string }>();
      const half = 'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n';
      const [fresh, used, polite] = await Promise.all([0, 1, 2].map(() => RawConnection.connect(server.url)));
      await used!.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await used!.response();
      used!.received = '';
      const silent = await secureConnection(httpsUrl, ['http/1.1']);
      const secure = await secureConnection(httpsUrl, ['http/1.1']);
      const session = await RawHttp2.connect(httpsUrl);
      const handshake = await plainConnection(httpsUrl);
      for (const raw of [fresh, used, polite]) await raw!.send(half);
      secure.write(half);
      handshake.write('\x16\x03\x01');
      session.send(frame(FRAME.HEADERS, 0, 1, fields('POST', '/jobs')));
      // The server has read all of it when it answers what was sent after it.
      const later = await RawConnection.connect(server.url);
      await later.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await later.response();
      server.kill('SIGTERM');
      for (const raw of [fresh, used, polite]) {
        const { status, headers } = await raw!.response();
        expect([status, headers.connection, headers['content-type']]).toEqual([
          408,
          'close',
          'application/problem+json',
        ]);
      }
      // It may come too late: then the connection is closed already.
      polite!.socket.write('Content-Type: application/json\r\n\r\n{"kind":"manual"}');
      await gone(server);
      for (const socket of [silent, secure, handshake, session.socket]) socket.destroy();
      const db = new Database(join(server.data, 'log.db'));
      expect(db.prepare('SELECT count(*) AS jobs FROM jobs').get()).toMatchObject({ jobs: 0 });
      db.close();
    });
  });

  test('it accepts nothing more', async () => {
    await stopping([], async (server, client) => {
      const stream = await client.stream('/events');
      await stream.opened();
      server.kill('SIGTERM');
      await refusing(server.url);
      await gone(server);
    });
  });

  test('jobs go on with the next server', async () => {
    const first = await startServer();
    try {
      const client = new Client(first.url);
      const simulated = await client.simulated({ durationMs: 300, steps: 10 });
      const manual = await client.manual();
      await first.stop();
      await withServer(
        [],
        async (_, again) => {
          expect((await again.until(simulated.jobId)).state).toBe('succeeded');
          await again.finish(manual.jobId);
          const { events } = await again.consume(simulated.links.events);
          expect(events.map(({ event }) => event)).toEqual([
            ...['queued', 'started', ...Array(10).fill('progress'), 'succeeded'],
          ]);
        },
        { data: first.data },
      );
    } finally {
      await rm(first.data, { recursive: true, force: true });
    }
  });
});

/** Waits until nobody listens any more. */
async function refusing(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const refused = async () => {
    for (;;) {
      const outcome = await new Promise<boolean>((resolve) => {
        const socket = net.connect({ host: hostname, port: Number(port) });
        socket.once('connect', () => {
          socket.destroy();
          resolve(false);
        });
        socket.once('error', () => resolve(true));
      });
      if (outcome) return;
    }
  };
  await within(refused(), `${url} to refuse`);
}
