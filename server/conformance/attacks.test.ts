import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type Answer, newExperiment } from './client.js';
import { expectProblem } from './expectations.js';
import { folderHolds } from './files.js';
import { RawConnection } from './raw.js';
import { target, withSettings } from './server.js';
import type { JobPage } from './types.js';
import { eventually, within } from './within.js';

const lab = target();
const MiB = 1024 * 1024;
const hostile = 'https://evil.example';

withSettings(
  'a slow loris',
  ['--head-timeout-ms', '1000', '--body-timeout-ms', '1500'],
  (lab, server) => {
    test('400 heads and bodies that drip forever are cut with 408, and others are answered meanwhile', async () => {
      const idle = (await server().memory()).resources.TCPSocketWrap ?? 0;
      const slow = await Promise.all(
        Array.from({ length: 400 }, async (_, n) => {
          const raw = await RawConnection.connect(lab.base);
          await raw.send(
            n % 2
              ? 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-'
              : 'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 99999\r\n\r\n',
          );
          return raw;
        }),
      );
      const drip = setInterval(() => {
        for (const raw of slow) if (!raw.over) void raw.send('x');
      }, 50);
      try {
        const { jobId } = await lab.manual();
        const cut = Promise.all(slow.map((raw) => raw.closed));
        for (let polls = 0; polls < 20; polls++) expect((await lab.get(`/jobs/${jobId}`)).status).toBe(200);
        await within(cut, 'the slow ones to be cut', 30_000);
      } finally {
        clearInterval(drip);
      }
      for (const raw of slow) expect(raw.received).toMatch(/^HTTP\/1\.1 408 /);
      const sockets = async () => (await server().memory()).resources.TCPSocketWrap ?? 0;
      await eventually(async () => ((await sockets()) === idle ? true : undefined), 'their sockets to be gone');
      expect((await lab.get('/jobs')).json<JobPage>().jobs).toHaveLength(1);
    });
  },
  { memoryProbe: true },
);

withSettings(
  'pipelining',
  ['--max-waiters', '100'],
  (lab, server) => {
    const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

    test('1,000 requests in one piece are answered in their order', async () => {
      const jobs = await Promise.all(Array.from({ length: 10 }, () => lab.manual()));
      const raw = await RawConnection.connect(lab.base);
      const asked = Array.from({ length: 1000 }, (_, n) => jobs[n % 10]?.jobId ?? '');
      await raw.send(asked.map((jobId) => get(`/jobs/${jobId}`)).join(''));
      const answers = await raw.responses(1000);
      expect(answers.map(({ body }) => JSON.parse(body).jobId)).toEqual(asked);
      raw.close();
    });

    test('a long poll holds back what follows it on its connection, and nobody else', async () => {
      const { jobId } = await lab.manual();
      const experiment = newExperiment();
      const raw = await RawConnection.connect(lab.base);
      const named = `Experiment: ${experiment}\r\n`;
      await raw.send(get(`/jobs/${jobId}/result?wait=60`, named) + get(`/jobs/${jobId}`, named).repeat(50));
      await lab.held(experiment, 1);
      expect((await lab.get(`/jobs/${jobId}`)).status).toBe(200);
      expect(raw.received).toBe('');
      await lab.finish(jobId, { result: 'first' });
      const answers = await raw.responses(51);
      expect(answers[0]?.body).toBe('"first"');
      raw.close();
    });

    test('waiting is bounded on one connection, too', async () => {
      const { jobId } = await lab.manual();
      const experiment = newExperiment();
      const raw = await RawConnection.connect(lab.base);
      await raw.send(get(`/jobs/${jobId}/result?wait=60`, `Experiment: ${experiment}\r\n`).repeat(150));
      // Requests over the limit get a `503`, behind the answers of the waiting ones. (Node stops reading a connection while 16 KiB of
      // answers wait to be sent on it, so this test sends so few requests that their answers fit.)
      const refused = async () => {
        const { requests } = await lab.traffic(experiment);
        return requests.filter(({ status }) => status === 503).length === 50 || undefined;
      };
      await eventually(refused, '50 to be refused');
      await lab.finish(jobId);
      const statuses = (await raw.responses(150)).map(({ status }) => status);
      expect(statuses).toEqual([...Array(100).fill(200), ...Array(50).fill(503)]);
      raw.close();
    });

    test('who asks again and again, and never reads, costs no more than a buffer', async () => {
      const before = await server().memory();
      const raw = await RawConnection.connect(lab.base);
      raw.socket.pause();
      // 40 KB each: 800 MB of answers, were they all made.
      void raw.send(get('/openapi.json').repeat(20_000));
      for (let polls = 0; polls < 50; polls++) expect((await lab.get('/healthz')).status).toBe(200);
      const during = await server().memory();
      const growth = during.heapUsed + during.external - before.heapUsed - before.external;
      expect(growth, `${growth / MiB} MiB more`).toBeLessThan(32 * MiB);
      raw.close();
    });
  },
  { memoryProbe: true },
);

describe('a head or a body without end', () => {
  const post =
    'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n';

  test.each([
    ['a million fields', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n', 'a: b\r\n', [431]],
    ['one field', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: ', 'bbbbbb', [431]],
    ['a request line', 'GET /', 'aaaaaa', [400, 431]],
    ['a query', 'GET /jobs?', '&limit', [400, 431]],
    ['trailers', `${post}1\r\nx\r\n0\r\n`, 'a: b\r\n', [400, 431]],
    ['an extension of a chunk', `${post}1;a=`, 'bbbbbb', [400, 413, 431]],
  ])('%s is refused long before its end', async (_, begin, piece, statuses) => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(begin);
    while (!raw.over && raw.sent < 200 * MiB) {
      await raw.send(piece.repeat(1000));
      await turn(); // a send that the kernel takes at once gives no turn to what comes back
    }
    await within(raw.closed, 'the connection to be closed');
    expect(raw.sent).toBeLessThan(200 * MiB);
    // The answer may be lost to a reset, since we send on: but if it came, it is one.
    if (raw.received !== '') expect(statuses).toContain((await raw.response()).status);
    expect((await lab.get('/healthz')).status).toBe(200);
  });
});

describe('what is large when it is unpacked', () => {
  const bomb = gzipSync(Buffer.alloc(50 * MiB, ' '));

  test.each([
    ['application/json', 'gzip'],
    ['application/json', 'x-gzip, identity'],
    ['video/mp4', 'gzip'],
    ['video/mp4', 'gzip, gzip'],
  ])('is refused, not unpacked: %s, Content-Encoding: %s', async (type, coding) => {
    const headers = { 'Content-Type': type, 'Content-Encoding': coding };
    expectProblem(await lab.request('POST', '/jobs', { headers, body: bomb }), 415);
  });

  test('is refused, too, where the coding is one of the transfer', async () => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send('POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n');
    await raw.send('Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n');
    expect((await raw.response()).status).toBe(501);
    raw.close();
  });

  test('is taken as the bytes that it is, where no coding is named', async () => {
    const answer = await lab.upload(bomb, { query: '?wait=30' });
    expect(answer.status).toBe(409); // no video
    expectProblem(await lab.request('POST', '/jobs', { json: undefined, headers: json, body: bomb }), 400);
  });
});

const json = { 'Content-Type': 'application/json' };

withSettings(
  'a value that is long, or made to be hard to read',
  [],
  (lab, server) => {
    // 15 KB each, just below the bound of a head: what costs more than its length shows here.
    const hard: [string, string][] = [
      ...['Prefer', 'Accept', 'If-None-Match', 'Last-Event-ID', 'Content-Type'].flatMap((name): [string, string][] => [
        [name, `"${'\\"'.repeat(7000)}`],
        [name, ',"'.repeat(7000)],
        [name, ';q=0.1,'.repeat(2000)],
        [name, 'a/b, '.repeat(3000)],
        [name, `${' '.repeat(14_000)}x`],
        [name, 'W/'.repeat(7000)],
        [name, '9'.repeat(15_000)],
      ]),
      ['Host', `${'a.'.repeat(7000)}localhost`],
      ['Host', `${'a-'.repeat(7000)}!`],
      ['Origin', `http://${'1.'.repeat(7000)}:1`],
    ];

    test('costs hardly more to read than a plain one', async () => {
      const { jobId } = await lab.manual();
      const cost = async (name: string, value: string): Promise<number> => {
        const before = await server().cpuMs();
        for (let n = 0; n < 5; n++) {
          const answer = await lab.get(`/jobs/${jobId}`, { [name]: value });
          expect(answer.status, `${name}: ${value.slice(0, 40)}`).toBeLessThan(500);
        }
        return ((await server().cpuMs()) - before) / 5;
      };
      const plain = await cost('X-Plain', 'x'.repeat(15_000));
      const dear: string[] = [];
      for (const [name, value] of hard) {
        const ms = await cost(name, value);
        // Reading it in quadratic time would cost a hundred milliseconds and more.
        if (ms > 5 * plain + 20) dear.push(`${name}: ${value.slice(0, 20)}…: ${ms} ms, a plain one ${plain} ms`);
      }
      expect(dear).toEqual([]);
    });
  },
  { memoryProbe: true },
);

describe('bytes that are not UTF-8', () => {
  const latin1 = async (text: string) => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(text);
    const answer = await raw.response();
    raw.close();
    return answer;
  };

  test.each([
    'GET /\xff\xfe HTTP/1.1\r\n',
    'GET /jobs/\xc3( HTTP/1.1\r\n',
    'GET /jobs/%ff%fe HTTP/1.1\r\n',
    'GET /jobs?state=%ff HTTP/1.1\r\n',
    'GET /events?after=%c3( HTTP/1.1\r\n',
  ])('%j is refused in UTF-8', async (line) => {
    const answer = await latin1(`${line}Host: localhost\r\nConnection: close\r\n\r\n`);
    expect([400, 404]).toContain(answer.status);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(answer.body, 'latin1'));
    expect(JSON.parse(text)).toMatchObject({ status: answer.status });
  });

  test('in an experiment, they do not spoil the ledger', async () => {
    const answer = await latin1(
      'GET /healthz?experiment=%ff%c3( HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    expect(answer.status).toBe(200);
    const { body } = await lab.get('/traffic');
    expect(() => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))).not.toThrow();
  });

  test.each(['{"kind":"manual\xff"}', '{"kind":"manual","note":"\xc3("}', '\xef\xbb\xbf\xff', '{"\xed\xa0\x80":1}'])(
    'in JSON: %j is malformed',
    async (body) => {
      const options = { headers: json, body: Buffer.from(body, 'latin1') };
      expectProblem(await lab.request('POST', '/jobs', options), 400);
    },
  );
});

describe('tricks with paths', () => {
  test.each([
    ...['/../package.json', '/..%2fpackage.json', '/%2e%2e/%2e%2e/etc/passwd', '/jobs/../healthz', '/./healthz'],
    ...[
      '//healthz',
      '/healthz/',
      '/healthz//',
      '/healthz/.',
      '/healthz;x=1',
      '/healthz%00',
      '/healthz%20',
      '/%68ealthz',
    ],
    ...['/HEALTHZ', '/jobs\\..\\..', '\\healthz', 'healthz', '/healthz#x', '/jobs/%2e%2e/result', '/jobs/..;/events'],
    ...[
      '/jobs/__proto__',
      '/jobs/constructor',
      '/toString',
      '/jobs//events',
      '/jobs/x/__proto__',
      '/pages/monitor.html',
    ],
    ...['//localhost/healthz', 'file:///etc/passwd', 'http:///healthz', 'http://localhost', '*'],
  ])('%s leads nowhere', async (path) => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const { status, headers, body } = await raw.response();
    raw.close();
    const type = headers['content-type'] ?? '';
    expectProblem({ status, type, text: body }, 400, 404, 421);
  });
});

describe('a name that was rebound to 127.0.0.1', () => {
  test.each(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'])('gets nothing, whatever is asked: %s', async (method) => {
    const { jobId } = await lab.manual();
    for (const path of [`/jobs/${jobId}`, '/jobs', '/events', '/traffic', '/']) {
      const headers = { Host: 'rebound.evil.example:4321', Origin: 'http://rebound.evil.example:4321' };
      const answer = await lab.request(method, path, { headers });
      expect(answer.status, path).toBe(421);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
    expect((await lab.job(jobId)).state).toBe('running');
  });

  test.each([
    'GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET http://localhost@evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\n\r\n',
    'GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n',
  ])('%j', async (request) => {
    const raw = await RawConnection.connect(lab.base);
    await raw.send(request);
    expect((await raw.response()).status).toBe(421);
    raw.close();
  });
});

describe('a page of another site', () => {
  // What a form, or fetch with mode "no-cors", may send without a preflight (Fetch standard, "CORS-safelisted").
  const simple = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'];
  const jobs = async () => (await lab.get('/jobs?limit=1')).json<JobPage>().jobs[0]?.jobId;

  test.each(simple.flatMap((type) => [hostile, 'null'].map((origin) => [type, origin])))(
    'posts %s in vain, as %s',
    async (type, Origin) => {
      const newest = await jobs();
      const { jobId } = await lab.manual();
      const options = { headers: { 'Content-Type': type, Origin }, body: '{"kind":"manual","result":1,"progress":1}' };
      for (const path of ['/jobs', `/jobs/${jobId}/finish`, `/jobs/${jobId}/progress`]) {
        expectProblem(await lab.request('POST', path, options), 403);
      }
      expect(await lab.job(jobId)).toMatchObject({ state: 'running', progress: 0 });
      expect(await jobs()).toBe(jobId);
      expect(newest).not.toBe(jobId);
    },
  );

  test.each(simple)('and without an Origin, %s is no type that is taken', async (type) => {
    const { jobId } = await lab.manual();
    const options = { headers: { 'Content-Type': type }, body: '{"kind":"manual","result":1,"progress":1}' };
    for (const path of ['/jobs', `/jobs/${jobId}/finish`, `/jobs/${jobId}/progress`]) {
      expectProblem(await lab.request('POST', path, options), 415);
    }
  });

  test.each(['POST', 'DELETE', 'GET', 'PUT'])('is told nothing by a preflight for %s', async (method) => {
    const headers = {
      Origin: hostile,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': 'content-type',
      'Access-Control-Request-Private-Network': 'true',
    };
    const answer = await lab.request('OPTIONS', '/jobs', { headers });
    expectProblem(answer, 403);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('reads no answer and no stream', async () => {
    const { jobId } = await lab.finished();
    for (const path of ['/jobs', `/jobs/${jobId}`, `/jobs/${jobId}/events`, '/events', '/traffic', '/metrics', '/']) {
      const answer: Answer = await lab.get(path, { Origin: hostile });
      expectProblem(answer, 403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });
});

describe('newlines in what is told', () => {
  const breaks = ['\n', '\r', '\r\n', '\n\n', '\u2028', '\u2029', '\u0085', '\0', '\ufeff'];
  const forged = (line: string) => `x${line}event: forged${line}data: {}${line}id: 7${line}retry: 1${line}${line}`;

  test.each(breaks)('%j is data, to every reader', async (line) => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const all = await lab.stream('/events', { Experiment: experiment });
    const own = await lab.stream(`/jobs/${jobId}/events`);
    await all.opened();
    await lab.progress(jobId, 0.5, { [forged(line)]: forged(line) });
    await lab.finish(jobId, { error: { title: forged(line), detail: forged(line) } });
    // The readers are strict: a line that no server should send is an error.
    const events = await own.toTheEnd();
    expect(events.map(({ event }) => event)).toEqual(['queued', 'started', 'progress', 'failed']);
    expect(events[2]?.data[forged(line)]).toBe(forged(line));
    expect(events[3]?.data.error?.title).toBe(forged(line));
    const told = await all.upTo('failed');
    expect(told.map(({ event }) => event)).toEqual(['position', 'progress', 'failed']);
    expect(own.retry).not.toBe(1);
    own.close();
    all.close();
  });
});

withSettings(
  'CONNECT',
  [],
  (lab, server) => {
    const connect = 'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n';

    test('from clients that reset their connections harms nobody', async () => {
      for (let n = 0; n < 60; n++) {
        const raw = await RawConnection.connect(lab.base);
        await raw.send(connect);
        if (n % 3 > 0) await sleep(n % 3 === 1 ? 1 : 20);
        raw.socket.resetAndDestroy();
      }
      expect((await lab.get('/healthz')).status).toBe(200);
    });

    test('is answered, and its connection closed, also when the client does not close its end', async () => {
      const sockets = async () => (await server().memory()).resources.TCPSocketWrap ?? 0;
      const before = await sockets();
      const raw = await RawConnection.connect(lab.base, true);
      await raw.send(connect);
      expect((await raw.response()).status).toBe(405);
      await eventually(async () => ((await sockets()) <= before ? true : undefined), 'the socket to be gone');
      raw.close();
    });
  },
  { memoryProbe: true },
);

withSettings(
  'jobs that are cancelled as fast as they are submitted',
  ['--keep-jobs', '10', '--max-events', '1000', '--max-rows', '100'],
  (lab, server) => {
    test('leave no timer behind, however long they were to run', async () => {
      for (let n = 0; n < 300; n++) {
        const { links } = await lab.simulated({ durationMs: 600_000, steps: 1 });
        await lab.delete(links.self);
      }
      // A connection that is being closed has one for a moment.
      const few = async () => ((await server().memory()).resources.Timeout ?? 0) < 50 || undefined;
      await eventually(few, 'fewer than 50 timers');
    });
  },
  { memoryProbe: true },
);

withSettings('what was refused', [], (lab, server) => {
  test('leaves nothing in the data folder', async () => {
    const mark = Buffer.from('this was refused, and is nowhere');
    for (const headers of [
      { Origin: hostile },
      { Host: 'evil.example' },
      { 'Content-Encoding': 'gzip' },
      { Accept: 'a/b' },
    ]) {
      const answer = await lab.upload(mark, { headers: { ...headers } as Record<string, string> });
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
    expect(await folderHolds(server().data, mark)).toBe(false);
  });
});
