import type net from 'node:net';
import { basename, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Client, newExperiment, sum } from './client.js';
import { expectProblem } from './expectations.js';
import { filesOf } from './files.js';
import { Http2Client } from './http2.js';
import { RawConnection } from './raw.js';
import { FRAME, fields, frame, plainConnection, RawHttp2, secureConnection, setting } from './raw-http2.js';
import { type LocalServer, ownServers, withServer, withSettings } from './server.js';
import { eventually, within } from './within.js';

/*
 * What a client takes, it gives back: however an exchange or a connection ends, and also when it does not, the waiters,
 * the open rows of the ledger and the sockets are afterwards what they were before.
 */

const MiB = 1024 * 1024;
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

const waitersOf = async (lab: Client) =>
  Number(/^polling_lab_waiting_clients (\d+)$/m.exec((await lab.get('/metrics')).text)?.[1]);
const httpsUrlOf = async (lab: Client) => (await lab.get('/healthz')).json<{ httpsUrl: string }>().httpsUrl;
/** Sockets of the server, that of who asks not counted. */
const socketsOf = async (server: LocalServer) => (await server.memory()).resources.TCPSocketWrap ?? 0;

const waiting = (lab: Client, count: number) =>
  eventually(async () => ((await waitersOf(lab)) === count ? true : undefined), `${count} waiting clients`);
const sockets = (server: LocalServer, count: number) =>
  eventually(async () => ((await socketsOf(server)) <= count ? true : undefined), `${count} sockets`);
const closing = (socket: net.Socket, which = 'a connection') =>
  within(
    new Promise<void>((resolve) => socket.once('end', resolve).once('close', resolve).resume()),
    `the server to close ${which}`,
  );

withSettings(
  'a connection that hangs up',
  [],
  (lab, server) => {
    test.each([
      { end: 'closes', off: (raw: RawConnection) => raw.close() },
      { end: 'is reset', off: (raw: RawConnection) => raw.socket.resetAndDestroy() },
      { end: 'is half closed', off: (raw: RawConnection) => raw.socket.end() },
    ])('with a long poll, a stream and a consumer pipelined: it $end', async ({ off }) => {
      const { links } = await lab.manual();
      const experiment = newExperiment();
      const named = `Experiment: ${experiment}\r\n`;
      const raw = await RawConnection.connect(lab.base, true);
      await raw.send(
        get(`${links.result}?wait=60`, named) +
          get(links.events, named) +
          get(`${links.events}?wait=60&min=9`, `${named}Accept: application/json\r\n`) +
          get(links.self, named),
      );
      await waiting(lab, 3);
      off(raw);
      await waiting(lab, 0);
      const { requests, totals } = await lab.settled(experiment, 4);
      expect(sum(totals, 'open')).toBe(0);
      expect(requests.map(({ bytesOut }) => bytesOut)).toEqual([0, 0, 0, 0]);
      raw.close();
      await sockets(server(), 0);
    });
  },
  { memoryProbe: true },
);

withSettings(
  'HTTP/2 that breaks the protocol',
  ['--stall-ms', '2000'],
  (lab, server) => {
    /** After each of these nghttp2 sends GOAWAY and goes deaf, or Node ends the session; the client has to do with neither. */
    const faults: [string, Buffer][] = [
      ['DATA after END_STREAM', frame(FRAME.DATA, 0, 1, Buffer.from('x'))],
      ['DATA on a stream that is idle', frame(FRAME.DATA, 0, 9999, Buffer.from('x'))],
      ['HEADERS on an even stream', frame(FRAME.HEADERS, 5, 2, fields('GET', '/'))],
      ['a window that grows by nothing', frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.alloc(4))],
      ['a window that is too large', frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
      ['SETTINGS of the wrong size', frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(5))],
      ['a frame that is too large', frame(FRAME.DATA, 0, 1, Buffer.alloc(20_000))],
      ['a head that cannot be unpacked', frame(FRAME.HEADERS, 5, 9999, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]))],
      ['CONTINUATION of nothing', frame(FRAME.CONTINUATION, 4, 1, fields('GET', '/'))],
      ['a frame of no HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ];

    test.each([{ client: 'closes' }, { client: 'does not close' }])(
      'is closed, and all that hung on it let go, when its client $client',
      async ({ client }) => {
        const httpsUrl = await httpsUrlOf(lab);
        const experiment = newExperiment();
        const connections = await Promise.all(faults.map(() => RawHttp2.connect(httpsUrl)));
        for (const raw of connections) for (let n = 0; n < 20; n++) raw.request('GET', '/events', { experiment });
        await waiting(lab, 20 * faults.length);
        for (const [n, [, fault]] of faults.entries()) connections[n]?.send(fault);
        if (client === 'closes') {
          await lab.get('/healthz');
          for (const raw of connections) raw.close();
        }
        await waiting(lab, 0);
        const { totals } = await lab.quiet(experiment);
        expect(totals['event-stream']?.requests).toBe(20 * faults.length);
        await sockets(server(), 0);
        for (const raw of connections) raw.close();
      },
    );

    test('a client that answers no PING is let go', async () => {
      const experiment = newExperiment();
      const raw = await RawHttp2.connect(await httpsUrlOf(lab));
      raw.request('GET', '/events', { experiment });
      await within(raw.closed, 'the server to close');
      await lab.settled(experiment, 1);
      await waiting(lab, 0);
      raw.close();
    });

    test('one that answers goes on, however long nothing happens', async () => {
      const client = await Http2Client.connect(await httpsUrlOf(lab));
      const pings = new Promise<void>((resolve) => {
        let seen = 0;
        client.session.on('ping', () => ++seen === 3 && resolve());
      });
      const stream = await client.stream('/events');
      await stream.opened();
      await within(pings, 'three PINGs');
      expect((await client.get('/healthz')).status).toBe(200);
      stream.close();
      client.close();
    });
  },
  { memoryProbe: true },
);

withSettings(
  'what the parser refuses',
  ['--head-timeout-ms', '1000'],
  (lab, server) => {
    const refused: [string, string, number][] = [
      ['no HTTP', 'x\r\n\r\n', 400],
      ['a head that is too large', `GET / HTTP/1.1\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`, 431],
      ['a head that does not come', 'GET / HTTP/1.1\r\nHost:', 408],
      ['CONNECT', 'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n', 405],
      ["HTTP/2's preface", 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ];

    test.each([{ scheme: 'http' }, { scheme: 'https' }])(
      'by $scheme is answered, and its socket gone although the client keeps its half',
      async ({ scheme }) => {
        const url = scheme === 'http' ? lab.base : await httpsUrlOf(lab);
        const all = refused.map(async ([name, bytes, status]) => {
          const socket =
            scheme === 'http' ? await plainConnection(url, true) : await secureConnection(url, ['http/1.1']);
          let received = '';
          socket.on('data', (data: Buffer) => {
            received += data.toString('latin1');
          });
          const ended = new Promise((resolve) => socket.once('end', resolve));
          socket.write(bytes);
          await within(ended, `the end of the answer to ${name}`);
          const [head = '', body = ''] = received.split('\r\n\r\n');
          expect(head, name).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
          expectProblem({ status, type: /Content-Type: (\S+)/i.exec(head)?.[1] ?? '', text: body }, status);
          return socket;
        });
        const kept = await Promise.all(all);
        await sockets(server(), 0);
        for (const socket of kept) socket.destroy();
      },
    );

    test('Upgrade is answered like any request', async () => {
      const raw = await RawConnection.connect(lab.base);
      await raw.send(get('/healthz', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'));
      expect((await raw.response()).status).toBe(200);
      raw.close();
    });

    test('an Expect that is not understood passes the guard, and is a row with its own bytes', async () => {
      const experiment = newExperiment();
      const raw = await RawConnection.connect(lab.base);
      const refused = get('/healthz', `Experiment: ${experiment}\r\nExpect: nonsense\r\n`);
      const plain = get('/healthz', `Experiment: ${experiment}\r\n`);
      await raw.send(refused);
      await raw.responses(1);
      await raw.send(plain);
      const answers = await raw.responses(2);
      expect(answers.map(({ status }) => status)).toEqual([417, 200]);
      const { requests } = await lab.settled(experiment, 2);
      expect(requests.map(({ status, bytesIn, bytesOut }) => ({ status, bytesIn, bytesOut }))).toEqual(
        answers.map(({ status, length }, n) => ({ status, bytesIn: [refused, plain][n]?.length, bytesOut: length })),
      );
      await raw.send('GET /healthz HTTP/1.1\r\nHost: evil.example\r\nExpect: nonsense\r\n\r\n');
      expect((await raw.responses(3))[2]?.status).toBe(421);
      raw.close();
    });
  },
  { memoryProbe: true },
);

withSettings(
  'a connection that says nothing, or not enough',
  ['--head-timeout-ms', '1000', '--stall-ms', '2000'],
  (lab, server) => {
    const drips = (socket: net.Socket, bytes: Buffer) => {
      let at = 0;
      const drip = setInterval(
        () => socket.writable && socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)),
        50,
      );
      socket.once('close', () => clearInterval(drip));
      return socket;
    };
    // The record's and the handshake's head of a ClientHello (RFC 8446, section 4), whose rest does not come.
    const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(400, 7)]);
    const kinds: [string, () => Promise<net.Socket>][] = [
      ['HTTP, nothing', () => plainConnection(lab.base, true)],
      [
        'HTTP, a byte now and then',
        async () =>
          drips(await plainConnection(lab.base, true), Buffer.from('GET / HTTP/1.1\r\nA: '.padEnd(2000, 'a'))),
      ],
      ['HTTPS, nothing', async () => plainConnection(await httpsUrlOf(lab), true)],
      [
        'HTTPS, half a ClientHello',
        async () => {
          const socket = await plainConnection(await httpsUrlOf(lab), true);
          socket.write(hello.subarray(0, 100));
          return socket;
        },
      ],
      [
        'HTTPS, a byte of it now and then',
        async () => drips(await plainConnection(await httpsUrlOf(lab), true), hello),
      ],
      ['TLS, then no HTTP/1.1', async () => secureConnection(await httpsUrlOf(lab), ['http/1.1'])],
      ['TLS, then no HTTP/2', async () => secureConnection(await httpsUrlOf(lab), ['h2'])],
      ['HTTP/2 without a request', async () => (await RawHttp2.connect(await httpsUrlOf(lab))).socket],
      [
        'HTTP/2, a head of a byte now and then',
        async () => {
          const raw = await RawHttp2.connect(await httpsUrlOf(lab));
          return drips(raw.socket, frame(FRAME.HEADERS, 5, 1, fields('GET', '/', { a: 'a'.repeat(3000) })));
        },
      ],
      [
        'HTTP/2, nothing but PINGs',
        async () => {
          const raw = await RawHttp2.connect(await httpsUrlOf(lab));
          const ping = setInterval(
            () => raw.socket.writable && raw.send(frame(FRAME.PING, 0, 0, Buffer.alloc(8))),
            100,
          );
          raw.socket.once('close', () => clearInterval(ping));
          return raw.socket;
        },
      ],
    ];

    test('is closed, and its socket gone although the client keeps its half', async () => {
      const all = kinds.map(async ([name, connect]) => {
        const socket = await connect();
        await closing(socket, name);
        return socket;
      });
      const kept = await Promise.all(all);
      await sockets(server(), 0);
      for (const socket of kept) socket.destroy();
    });
  },
  { memoryProbe: true },
);

withSettings('sockets are bounded', ['--max-connections', '20', '--max-secure-connections', '5'], (lab) => {
  test('one more is closed at once, and those that are there are served', async () => {
    const httpsUrl = await httpsUrlOf(lab);
    const served = await RawConnection.connect(lab.base);
    const idle: net.Socket[] = [];
    for (let n = 0; n < 19; n++) idle.push(await plainConnection(lab.base));
    for (let n = 0; n < 5; n++) idle.push(await plainConnection(httpsUrl));
    for (const url of [lab.base, httpsUrl]) await closing(await plainConnection(url));
    await served.send(get('/healthz'));
    expect((await served.response()).status).toBe(200);
    idle.shift()?.destroy();
    await eventually(async () => (await lab.get('/healthz').catch(() => null))?.status === 200 || undefined, 'a place');
    for (const socket of idle) socket.destroy();
    served.close();
  });
});

withSettings(
  'answers that nobody takes',
  ['--stall-ms', '1500', '--max-rows', '20000'],
  (lab, server) => {
    /** So many rows that the ledger takes megabytes. */
    const fill = async () => {
      const raw = await RawConnection.connect(lab.base);
      raw.socket.removeAllListeners('data').resume();
      await raw.send(get('/jobs/nobody').repeat(20_000));
      await eventually(async () => {
        const { text } = await lab.get('/metrics'); // not the ledger itself: to read it takes long by then
        const counted = /^polling_lab_requests_total\{technique="short-poll"\} (\d+)$/m.exec(text)?.[1];
        return Number(counted) >= 20_000 || undefined;
      }, '20,000 rows');
      raw.close();
    };
    const used = async () => {
      const { heapUsed, external } = await server().memory();
      return heapUsed + external;
    };
    /** Asks again and again while something happens: somebody else is served. */
    const served = async (while_: Promise<unknown>) => {
      let over = false;
      const ended = while_.finally(() => {
        over = true;
      });
      do expect((await lab.get('/healthz')).status).toBe(200);
      while (!over);
      await ended;
    };

    test('many of the whole ledger, pipelined on one connection and one on each of many: others are served, memory stays', async () => {
      await fill();
      expect((await lab.get('/traffic')).body.length).toBeGreaterThan(3 * MiB);
      const before = await used();
      const pipelined = await RawConnection.connect(lab.base);
      pipelined.socket.pause();
      const many = await Promise.all(Array.from({ length: 60 }, () => RawConnection.connect(lab.base)));
      const client = await Http2Client.connect(await httpsUrlOf(lab), { initialWindowSize: 0 });
      const asked = (async () => {
        void pipelined.send(get('/traffic').repeat(1600));
        for (const [n, raw] of many.entries()) {
          raw.socket.pause();
          // Every other one has a body that never comes: its answer does not end, and counts all the same.
          void raw.send(get('/traffic', n % 2 ? 'Content-Length: 1\r\n' : ''));
        }
        for (let n = 0; n < 60; n++) client.send('GET', '/traffic').pause();
        // The client that reads is served although the others do not.
        expect((await lab.get('/traffic', {})).body.length).toBeGreaterThan(3 * MiB);
      })();
      await served(asked);
      const during = await used();
      expect((during - before) / MiB, 'MiB more').toBeLessThan(96); // 64 unsent, and what the sockets and requests take
      for (const raw of [pipelined, ...many]) void within(raw.closed, 'a client that reads nothing to be dropped');
      // Whoever takes nothing is dropped, and what was kept for it is let go.
      await sockets(server(), 1);
      expect(((await used()) - before) / MiB, 'MiB more, afterwards').toBeLessThan(32);
      client.close();
      for (const raw of [pipelined, ...many]) raw.close();
    });

    test('over HTTP/2 with a shut window: the stream is reset, and its connection goes on', async () => {
      const raw = await RawHttp2.connect(await httpsUrlOf(lab), setting(4, 0));
      const experiment = newExperiment();
      const answers = setInterval(() => raw.socket.writable && raw.send(frame(FRAME.PING, 0, 0, Buffer.alloc(8))), 200);
      for (let n = 0; n < 20; n++) raw.request('GET', '/healthz', { experiment });
      const { requests } = await lab.settled(experiment, 20);
      expect(requests.map(({ status }) => status)).toEqual(Array(20).fill(200));
      expect(raw.over).toBe(false);
      clearInterval(answers);
      raw.close();
    });

    test('heads count, too: HEAD without end, and no answer read', async () => {
      const raw = await RawConnection.connect(lab.base);
      raw.socket.pause();
      const head = get('/healthz').replace('GET', 'HEAD').repeat(1000);
      const sending = (async () => {
        while (!raw.over) {
          await Promise.race([raw.send(head), raw.closed]);
          await turn(); // a send that fails at once gives no turn to the end of the connection
        }
      })();
      await within(sending, 'the server to close');
    });
  },
  { memoryProbe: true },
);

withSettings(
  'floods of HTTP/2',
  ['--stall-ms', '1500'],
  (lab, server) => {
    const floods: [string, (n: number) => Buffer][] = [
      ['PING', () => frame(FRAME.PING, 0, 0, Buffer.alloc(8))],
      ['SETTINGS', () => frame(FRAME.SETTINGS, 0, 0, setting(4, 100))],
      ['a window that moves', (n) => frame(FRAME.SETTINGS, 0, 0, setting(4, n % 2 ? 1 : 100_000))],
      [
        'streams opened and reset',
        (n) =>
          Buffer.concat([
            frame(FRAME.HEADERS, 5, 2 * n + 1, fields('GET', '/events')),
            frame(FRAME.RST_STREAM, 0, 2 * n + 1, Buffer.alloc(4)),
          ]),
      ],
      [
        'empty DATA',
        (n) =>
          n === 0
            ? frame(FRAME.HEADERS, 4, 1, fields('POST', '/jobs', { 'content-type': 'video/mp4' }))
            : frame(FRAME.DATA, 0, 1),
      ],
      [
        'CONTINUATION',
        (n) =>
          n === 0
            ? frame(FRAME.HEADERS, 1, 1, fields('GET', '/'))
            : frame(FRAME.CONTINUATION, 0, 1, Buffer.from([0, 1, 97, 1, 97])),
      ],
      ['unknown frames', () => frame(0xbb, 0, 0, Buffer.alloc(8))],
    ];

    test.each(floods)('%s: others are served, memory stays, and nothing is left of it', async (_, make) => {
      const before = await server().memory();
      const raw = await RawHttp2.connect(await httpsUrlOf(lab));
      raw.socket.pause(); // nor does it read what is answered
      const frames = Array.from({ length: 20_000 }, (_, n) => make(n));
      raw.send(...frames);
      for (let n = 0; n < 30; n++) expect((await lab.get('/healthz')).status).toBe(200);
      const during = await server().memory();
      const grown = during.heapUsed + during.external - before.heapUsed - before.external;
      expect(grown / MiB, 'MiB more').toBeLessThan(32);
      raw.close();
      await waiting(lab, 0);
      await sockets(server(), 0);
    });
  },
  { memoryProbe: true },
);

withSettings('what a client says is kept short', [], (lab) => {
  test('a method of HTTP/2 may be long: it is refused, and the ledger does not keep it', async () => {
    const raw = await RawHttp2.connect(await httpsUrlOf(lab));
    const experiment = newExperiment();
    raw.request('M'.repeat(15_000), '/jobs', { experiment });
    const { requests } = await lab.settled(experiment, 1);
    expect(requests[0]?.status).toBe(501);
    expect(JSON.stringify(requests[0]).length).toBeLessThan(600);
    raw.close();
  });
});

withSettings('names of experiments', ['--max-experiments', '3'], (few) => {
  const ask = (experiment: string) => few.get('/jobs/nobody', { Experiment: experiment });

  test('are not spent by requests that the guard refuses, nor by a look at a ledger that never was', async () => {
    await ask('lesson');
    for (let n = 0; n < 10; n++) {
      await few.get('/healthz', { Experiment: `refused-${n}`, Origin: 'https://example.com' });
      await few.get('/healthz', { Experiment: `misdirected-${n}`, Host: 'example.com' });
      expect((await few.traffic(`never-${n}`)).requests).toEqual([]);
      await few.get('/traffic', { Experiment: `looked-${n}` });
      expect((await few.traffic(`refused-${n}`)).requests).toEqual([]);
    }
    expect((await few.settled('lesson', 1)).totals['short-poll']?.requests).toBe(1);
    const names = new Set((await few.traffic()).requests.map(({ experiment }) => experiment));
    expect(names).toEqual(new Set([null, 'lesson']));
  });

  test('the one longest unused goes, never the newest, never one with an open request', async () => {
    const { links } = await few.manual();
    const held = few.get(links.result, { Prefer: 'wait=60', Experiment: 'held' });
    await few.held('held');
    for (const name of ['first', 'second']) await ask(name);
    await few.traffic('first'); // to look is to use
    await ask('third');
    const counts = async (name: string) => (await few.traffic(name)).totals['short-poll']?.requests;
    expect([await counts('third'), await counts('first'), await counts('second')]).toEqual([1, 1, 0]);
    expect((await few.traffic('second')).requests).toEqual([]);
    expect((await few.traffic('held')).requests).toHaveLength(1);
    // A name that comes again begins anew: its rows and its totals agree.
    await ask('second');
    const { requests, totals } = await few.settled('second', 1);
    expect([requests.length, totals['short-poll']?.requests]).toEqual([1, 1]);
    await few.delete(links.self);
    await held;
  });

  test('that had open requests, more than the bound, are no more than the bound when these have ended', async () => {
    const { links } = await few.manual();
    const names = Array.from({ length: 12 }, newExperiment);
    const held = names.map((name) => few.get(links.result, { Prefer: 'wait=60', Experiment: name }));
    for (const name of names) await few.held(name);
    await few.delete(links.self);
    await Promise.all(held);
    const known = async () => {
      const counts = await Promise.all(names.map(async (name) => (await few.traffic(name)).requests.length));
      return counts.filter((count) => count > 0).length;
    };
    await eventually(async () => (await known()) <= 3 || undefined, 'at most three names');
  });
});

withSettings('a large answer to a request whose body never comes', [], (lab) => {
  test('is no longer counted as unsent when its client has left', async () => {
    for (let n = 0; n < 5; n++) await lab.finish((await lab.manual()).jobId, { result: 'x'.repeat(60_000) });
    // More than may be unsent in all: after that, answers that wait for a turn would wait forever.
    for (let n = 0; n < 260; n += 20) {
      const some = Array.from({ length: 20 }, async () => {
        const raw = await RawConnection.connect(lab.base);
        await raw.send(get('/jobs', 'Content-Length: 1\r\n'));
        await raw.until('\r\n\r\n');
        raw.close();
      });
      await Promise.all(some);
    }
    await waiting(lab, 0);
  });
});

withSettings('a repeated upload that waits for the result', [], (lab, server) => {
  test('leaves no second file, also when its client leaves', async () => {
    const video = Buffer.alloc(1000);
    const key = { 'Idempotency-Key': 'repeated', 'Content-Type': 'video/mp4' };
    const experiment = newExperiment();
    const path = '/jobs?durationMs=600000';
    const { jobId } = (await lab.request('POST', path, { headers: key, body: video })).job;
    const again = await RawConnection.connect(lab.base);
    const fields = Object.entries({ ...key, Host: 'localhost', Experiment: experiment, 'Content-Length': '1000' });
    const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    await again.send(`POST ${path}&wait=60 HTTP/1.1\r\n${head}\r\n`);
    await again.send(video);
    await waiting(lab, 1);
    again.close();
    await waiting(lab, 0);
    const uploads = await filesOf(join(server().data, 'uploads'));
    expect(uploads.map((file) => basename(file))).toEqual([`${jobId}.upload`]);
    await lab.delete(`/jobs/${jobId}`);
  });
});

withSettings('what cannot be read as a request', [], (lab) => {
  const unreadable = { garbage: '\0\r\n\r\n', CONNECT: get('localhost:1').replace('GET', 'CONNECT') };
  const cases = Object.entries(unreadable).flatMap(([what, bytes]) => [
    { what, bytes, earlier: 'a long poll', path: 'result?wait=60', received: /^$/ },
    { what, bytes, earlier: 'a stream', path: 'events', received: /^HTTP\/1\.1 200 (?!.*HTTP)/s },
  ]);

  test.each(cases)('$what behind $earlier: its answer is not taken for more of that one', async (asked) => {
    const { links, jobId } = await lab.manual();
    const raw = await RawConnection.connect(lab.base);
    await raw.send(get(`/jobs/${jobId}/${asked.path}`));
    await waiting(lab, 1);
    await raw.send(asked.bytes);
    await within(raw.closed, 'the server to close the connection');
    expect(raw.received).toMatch(asked.received);
    await waiting(lab, 0);
    await lab.delete(links.self);
  });
});

ownServers('HTTP/2 requests with large heads whose answers are not taken', () => {
  test('are dropped when all of them take too much memory', async () => {
    await withServer([], async (_, lab) => {
      const httpsUrl = await httpsUrlOf(lab);
      const value = 'x'.repeat(3_900); // sent once: the further ones refer to it (RFC 7541)
      const clients = await Promise.all(
        Array.from({ length: 40 }, () => Http2Client.connect(httpsUrl, { initialWindowSize: 0 })),
      );
      const streams = clients.flatMap((client) =>
        Array.from({ length: 95 }, () => client.send('GET', '/nothing', { x: Array(4).fill(value) })),
      );
      const dropped = Promise.race(streams.map((stream) => new Promise((resolve) => stream.once('close', resolve))));
      await within(dropped, 'one of them to be dropped', 60_000);
      expect((await lab.get('/healthz')).status).toBe(200);
      for (const client of clients) client.close();
    });
  });
});

ownServers('SIGTERM', () => {
  test('closes a connection on which nothing has come yet', async () => {
    await withServer(['--grace-ms', '60000'], async (server, lab) => {
      const httpsUrl = await httpsUrlOf(lab);
      const idle = [await plainConnection(lab.base), await plainConnection(httpsUrl)];
      // So that the server has seen the ones before them.
      for (const url of [lab.base, httpsUrl]) (await plainConnection(url)).destroy();
      expect((await lab.get('/healthz')).status).toBe(200);
      server.kill('SIGTERM');
      expect(await within(server.exited, 'the server to exit', 30_000)).toMatchObject({ code: 0 });
      for (const socket of idle) socket.destroy();
    });
  });

  test('lets the readers of a forgotten job go', async () => {
    await withServer(['--keep-jobs', '1', '--grace-ms', '60000'], async (server, lab) => {
      const forgotten = await lab.finished();
      const stream = await lab.stream(forgotten.links.events);
      await stream.toTheEnd();
      for (let n = 0; n < 2; n++) await lab.finished();
      expect((await lab.get(forgotten.links.self)).status).toBe(404);
      server.kill('SIGTERM');
      await within(stream.ended, 'the stream to end', 30_000);
      expect(await within(server.exited, 'the server to exit', 30_000)).toMatchObject({ code: 0 });
    });
  });
});
