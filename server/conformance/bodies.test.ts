import { expect, test } from 'vitest';
import { type Client, newExperiment } from './client.js';
import { expectProblem } from './expectations.js';
import { Http2Client } from './http2.js';
import { RawConnection } from './raw.js';
import { RawHttp2 } from './raw-http2.js';
import { withSettings } from './server.js';
import { eventually, within } from './within.js';

// Bodies that arrive in odd ways, or never whole: what they cost, and what they keep from being seen.

const MiB = 1024 * 1024;
const httpsUrlOf = async (lab: Client) => (await lab.get('/healthz')).json<{ httpsUrl: string }>().httpsUrl;
const waiting = async (lab: Client) =>
  Number(/^polling_lab_waiting_clients (\d+)$/m.exec((await lab.get('/metrics')).text)?.[1]);
const post = (more: string) =>
  `POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${more}\r\n\r\n`;

withSettings(
  'a body that is not whole',
  [],
  (lab, server) => {
    test('costs about its bytes, also in pieces of one byte', async () => {
      const used = async () => {
        const { heapUsed, external } = await server().memory();
        return heapUsed + external;
      };
      await lab.get('/jobs');
      const before = await used();
      const pieces = 20_000;
      const connections: RawConnection[] = [];
      for (let n = 0; n < 20; n++) {
        const raw = await RawConnection.connect(lab.base);
        const experiment = newExperiment();
        await raw.send(post(`Experiment: ${experiment}\r\nTransfer-Encoding: chunked`) + '1\r\n \r\n'.repeat(pieces));
        await eventually(async () => {
          const [row] = (await lab.traffic(experiment)).requests;
          return (row?.bytesIn ?? 0) >= 6 * pieces || undefined;
        }, 'the pieces to arrive');
        connections.push(raw);
      }
      // 20 bodies of 20,000 bytes are 0.4 MB. An object for each piece would take 40 MB.
      expect((await used()) - before).toBeLessThan(12 * MiB);
      for (const raw of connections) raw.close();
    });

    test('of 4,001 the one that has stood still for the longest time is refused, and others are served', async () => {
      const url = await httpsUrlOf(lab);
      const first = await RawConnection.connect(lab.base);
      await first.send(`${post('Content-Length: 100')}{`);
      const clients: Http2Client[] = [];
      for (let n = 0; n < 40; n++) {
        const client = await Http2Client.connect(url);
        for (let m = 0; m < 100; m++)
          client.send('POST', '/jobs', { 'content-type': 'application/json' }, false).on('error', () => {});
        clients.push(client);
      }
      const refused = await first.response();
      expectProblem({ status: refused.status, type: refused.headers['content-type'] ?? '', text: refused.body }, 503);
      expect(refused.headers['retry-after']).toBe('1');
      expect((await lab.post('/jobs', { kind: 'manual' })).status).toBe(202);
      for (const client of clients) client.close();
      first.close();
    });
  },
  { memoryProbe: true },
);

withSettings('many bodies that take long to read', [], (lab) => {
  test('and become whole in the same moment: others are served in between', async () => {
    const body = JSON.stringify({ result: Array(13_000).fill(1e20) }).replaceAll(String(1e20), '1e20');
    const servedMeanwhile = async () => {
      const jobs = await Promise.all(Array.from({ length: 60 }, () => lab.manual()));
      const connections = await Promise.all(jobs.map(() => RawConnection.connect(lab.base)));
      for (const [n, { jobId }] of jobs.entries()) {
        const head = `POST /jobs/${jobId}/finish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json`;
        await connections[n]!.send(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`);
      }
      for (const raw of connections) raw.socket.write('}');
      let served = 0;
      for (; connections.some(({ received }) => received === ''); served++) await lab.get('/healthz');
      for (const raw of connections) expect((await raw.response()).status).toBe(204);
      for (const raw of connections) raw.close();
      return served;
    };
    // In one turn of the event loop for all, it is never more than twice. Where this process itself has to wait for a
    // processor, it asks too late, so it may take several times until it has asked often enough.
    await eventually(async () => (await servedMeanwhile()) > 8 || undefined, 'others to be served in between');
  });
});

withSettings('a body that no route asked for', ['--grace-ms', '500'], (lab) => {
  test.each([
    { end: 'is reset', off: (raw: RawConnection) => raw.socket.resetAndDestroy() },
    { end: 'is closed', off: (raw: RawConnection) => raw.socket.end() },
  ])('does not hide that the connection of a held request $end', async ({ off }) => {
    const { links } = await lab.manual();
    const held = [`${links.result}?wait=60`, links.events, `${links.events}?wait=60&min=9`];
    const connections = await Promise.all(
      held.map(async (path) => {
        const raw = await RawConnection.connect(lab.base);
        const accept = path.includes('min') ? 'Accept: application/json\r\n' : '';
        // More than Node and the system buffer, so that an end behind it would not be seen.
        await raw.send(
          `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${accept}Content-Length: 9999999\r\n\r\n${'x'.repeat(500_000)}`,
        );
        return raw;
      }),
    );
    await eventually(async () => (await waiting(lab)) === 3 || undefined, 'three waiting clients');
    for (const raw of connections) off(raw);
    await eventually(async () => (await waiting(lab)) === 0 || undefined, 'no waiting client');
  });

  test.each([
    ['415', 'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain', 415],
    ['404', 'POST /nothing HTTP/1.1\r\nHost: localhost', 404],
    ['200 of HEAD', 'HEAD /healthz HTTP/1.1\r\nHost: localhost', 200],
    ['204', 'OPTIONS /jobs HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost', 204],
  ])('and never ends: the client gets its answer (%s), and is closed after the grace', async (_, head, status) => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`);
    await raw.until('\r\n\r\n');
    expect(raw.received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const sending = setInterval(() => raw.socket.writable && raw.socket.write('1\r\nx\r\n'), 50);
    await within(raw.closed, 'the server to close the connection');
    clearInterval(sending);
  });
});

withSettings('a head over HTTP/2', [], (lab) => {
  test('of more than 16 KiB is refused, also before the client has taken note of the limit', async () => {
    const raw = await RawHttp2.connect(await httpsUrlOf(lab));
    const experiment = newExperiment();
    raw.request('GET', '/healthz', { experiment });
    raw.request('GET', '/healthz', {
      experiment,
      ...Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-${n}`, 'a'.repeat(150)])),
    });
    raw.request('GET', '/healthz', { experiment });
    // The answers are in order: of the one in between, no route was asked.
    const { requests } = await lab.settled(experiment, 2);
    expect(requests.map(({ status }) => status)).toEqual([200, 200]);
    raw.close();
  });
});

withSettings('a burst of pipelined requests', ['--max-jobs', '100000'], (lab, server) => {
  test('that move one job on: it moves in the order in which they were sent', async () => {
    const { jobId } = await lab.manual();
    const raw = await RawConnection.connect(lab.base);
    const burst = 300;
    const requests = Array.from({ length: burst }, (_, n) => {
      const body = JSON.stringify({ progress: (n + 1) / burst });
      const head = `POST /jobs/${jobId}/progress HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json`;
      return `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    });
    await raw.send(requests.join(''));
    // RFC 9112, section 9.3.2: only requests with safe methods may be processed in parallel. One that overtakes is a 409.
    expect((await raw.responses(burst)).map(({ status }) => status)).toEqual(Array(burst).fill(204));
    raw.close();
  });

  test.each([
    ['for the metrics', 4, 100, 'GET /metrics HTTP/1.1\r\nHost: localhost', '', 200],
    ['for nothing that is there', 80, 100, 'GET /nothing HTTP/1.1\r\nHost: localhost', '', 404],
    ['to submit a job', 80, 100, post('Content-Length: 17').trimEnd(), '{"kind":"manual"}', 202],
  ])('%s, on %d connections: others are served in between', async (_, count, each, head, body, status) => {
    const accepted = async () => {
      const raw = await RawConnection.connect(lab.base);
      await raw.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await raw.response();
      raw.received = '';
      return raw;
    };
    /** The share of the burst that is done before the last of the others. */
    const doneBefore = async () => {
      const all = await Promise.all(Array.from({ length: count }, accepted));
      const others = await Promise.all(Array.from({ length: 20 }, accepted));
      const experiment = newExperiment();
      const burst = `${head}\r\nExperiment: ${experiment}\r\n\r\n${body}`.repeat(each);
      // So that all of it lies there at once when the server looks. The system says in what order it does.
      process.kill(server().pid, 'SIGSTOP');
      try {
        await Promise.all(all.map((raw) => raw.send(burst)));
        const alone = `GET /healthz HTTP/1.1\r\nHost: localhost\r\nExperiment: ${experiment}\r\n\r\n`;
        await Promise.all(others.map((raw) => raw.send(alone)));
      } finally {
        process.kill(server().pid, 'SIGCONT');
      }
      for (const raw of others) expect((await raw.response()).status).toBe(200);
      const answers = (await Promise.all(all.map((raw) => raw.responses(each)))).flat();
      for (const answer of answers) expect(answer.status).toBe(status);
      // By the server's own clock: this process may look long after. A submit is answered after the turn in which its
      // job is made.
      const { requests } = await lab.settled(experiment, answers.length + others.length);
      const times = (healthz: boolean) =>
        requests.filter(({ route }) => (route === '/healthz') === healthz).map(({ endedAt }) => String(endedAt));
      const done = status === 202 ? answers.map(({ body }) => JSON.parse(body).createdAt as string) : times(false);
      const last = times(true).sort().at(-1)!;
      for (const raw of [...all, ...others]) raw.close();
      return done.filter((time) => time < last).length / done.length;
    };
    // The system may tell the server of the burst alone first, if the server was about to look when it was stopped.
    await eventually(async () => (await doneBefore()) < 1 / 4 || undefined, 'others to be served in between');
  });
});
