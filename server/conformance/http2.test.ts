import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { need } from '../../scripts/test/need.js';
import { type Client, newExperiment, sum } from './client.js';
import { expectProblem } from './expectations.js';
import { filesOf } from './files.js';
import { certificateOf, Http2Client, over } from './http2.js';
import { findCurl } from './machine.js';
import { parseResponses } from './raw.js';
import { ownServers, target, withServer, withSettings } from './server.js';
import type { Job } from './types.js';
import { eventually, within } from './within.js';

/*
 * "HTTPS with HTTP/2": the same interface on another port. What HTTP/2 does in its own way is here; that jobs, waits and
 * streams do what they should is tested with HTTP/1.1.
 */

const lab = target();
let httpsUrl = '';
let h2: Http2Client;

beforeAll(async () => {
  httpsUrl = await httpsUrlOf(lab);
  h2 = await Http2Client.connect(httpsUrl);
});
afterAll(() => h2?.close());

async function httpsUrlOf(client: Client): Promise<string> {
  const { httpsUrl } = (await client.get('/healthz')).json<{ httpsUrl: string }>();
  expect(httpsUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  return httpsUrl;
}

/** Waits for the head of an answer. */
async function statusOf(stream: http2.ClientHttp2Stream): Promise<number> {
  const head = new Promise<number>((resolve) => stream.once('response', (head) => resolve(head[':status'] ?? 0)));
  return within(head, 'the head of an answer');
}

/** A TLS connection on which the test is the HTTP client. `protocol` is what was agreed on, false for nothing. */
async function secure(alpn: string[] | undefined): Promise<tls.TLSSocket> {
  const { hostname, port } = new URL(httpsUrl);
  const ca = (await certificateOf(httpsUrl)).toString();
  const socket = tls.connect({ host: hostname, port: Number(port), ca, ...(alpn && { ALPNProtocols: alpn }) });
  await within(
    new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject)),
    `TLS with ${httpsUrl}`,
  );
  return socket;
}

describe('the certificate', () => {
  test('is for loopback names and no others, and vouches for no other certificate', async () => {
    const certificate = await certificateOf(httpsUrl);
    expect(certificate.subjectAltName).toBe(
      'DNS:localhost, DNS:*.localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    );
    expect(certificate.checkHost('localhost')).toBe('localhost');
    for (const ip of ['127.0.0.1', '::1']) expect(certificate.checkIP(ip), ip).toBeTruthy();
    for (const name of ['example.com', 'localhost.example.com']) expect(certificate.checkHost(name)).toBeUndefined();
    for (const ip of ['127.0.0.2', '192.168.0.1']) expect(certificate.checkIP(ip)).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' });
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
  });
});

describe('which HTTP it is, the client chooses', () => {
  test.each([
    { alpn: ['h2', 'http/1.1'], agreed: 'h2' },
    { alpn: ['http/1.1'], agreed: 'http/1.1' },
    { alpn: undefined, agreed: false },
  ])('$alpn: $agreed', async ({ alpn, agreed }) => {
    const socket = await secure(alpn);
    expect(socket.alpnProtocol).toBe(agreed);
    socket.destroy();
  });

  test('the ledger says which, and which connection', async () => {
    const experiment = newExperiment();
    const another = await Http2Client.connect(httpsUrl);
    for (const client of [h2, h2, another, lab]) await client.get('/healthz', { Experiment: experiment });
    another.close();
    const { requests } = await lab.settled(experiment, 4);
    expect(requests.map(({ protocol }) => protocol)).toEqual(['HTTP/2', 'HTTP/2', 'HTTP/2', 'HTTP/1.1']);
    const [first, second, third, fourth] = requests.map(({ connection }) => connection);
    expect(second).toBe(first);
    expect(new Set([first, third, fourth]).size).toBe(3);
  });
});

describe('HTTP/1.1 over TLS', () => {
  test('has its bytes counted before encryption, head and framing included', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const socket = await secure(['http/1.1']);
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
    });
    const head = (method: string, path: string, ...lines: string[]) =>
      `${[`${method} ${path} HTTP/1.1`, 'Host: localhost', `Experiment: ${experiment}`, ...lines].join('\r\n')}\r\n\r\n`;
    const requests = [
      head('GET', `/jobs/${jobId}`),
      `${head('POST', '/jobs', 'Content-Type: application/json', 'Content-Length: 17')}{"kind":"manual"}`,
      head('GET', '/nowhere'),
    ];
    socket.write(requests.join(''));
    await eventually(
      async () => parseResponses(received, [], false).length === 3 || undefined,
      () => `3 responses; ${received}`,
    );
    const { requests: rows } = await lab.settled(experiment, 3);
    expect(rows.map((row) => row.bytesIn)).toEqual(requests.map((request) => request.length));
    expect(rows.map((row) => row.bytesOut)).toEqual(parseResponses(received, [], false).map(({ length }) => length));
    expect(rows.every((row) => row.protocol === 'HTTP/1.1')).toBe(true);
    socket.write('NONSENSE\r\n\r\n');
    const [, , , refused] = await eventually(
      async () => {
        const responses = parseResponses(received, [], false);
        return responses.length === 4 ? responses : undefined;
      },
      () => `a problem; ${received}`,
    );
    expectProblem({ status: refused!.status, type: refused!.headers['content-type'] ?? '', text: refused!.body }, 400);
    socket.destroy();
  });

  test('what is no TLS is turned away, and harms nobody', async () => {
    const plain = new URL(httpsUrl);
    plain.protocol = 'http:';
    await expect(fetch(new URL('/healthz', plain))).rejects.toThrow();
    expect((await h2.get('/healthz')).status).toBe(200);
  });
});

describe('answers', () => {
  test('carry no field of a connection (RFC 9113, section 8.2.2)', async () => {
    const { jobId, links } = await h2.manual();
    const stream = await h2.stream(links.events);
    await h2.finish(jobId);
    const answers = [await h2.get(links.self), await h2.get('/nowhere'), await h2.request('OPTIONS', '/jobs'), stream];
    for (const { headers } of answers) {
      for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade']) {
        expect(headers).not.toHaveProperty(name);
      }
    }
    stream.close();
  });

  test('HEAD has the head of GET and no content', async () => {
    for (const path of ['/', '/healthz', '/metrics', '/nowhere', '/jobs']) {
      const [head, get] = [await h2.request('HEAD', path), await h2.get(path)];
      expect(head.status, path).toBe(get.status);
      expect(head.headers['content-type'], path).toBe(get.headers['content-type']);
      expect(head.headers, path).toHaveProperty('content-length');
      expect(head.body.length, path).toBe(0);
    }
  });

  test('a version that the client has is 304; a preflight is answered', async () => {
    const { links } = await h2.finished();
    const { headers } = await h2.get(links.self);
    expect((await h2.get(links.self, { 'If-None-Match': String(headers.etag) })).status).toBe(304);
    const Origin = 'https://localhost:9';
    const preflight = await h2.request('OPTIONS', '/jobs', {
      headers: { Origin, 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({ 'access-control-allow-origin': Origin });
  });

  test('CONNECT and an unknown expectation are problems', async () => {
    const stream = h2.session.request({ ':method': 'CONNECT', ':authority': 'localhost:1' });
    expect(await statusOf(stream)).toBe(405);
    stream.close();
    const expectation = await h2.request('GET', '/healthz', { headers: { Expect: 'miracles' } });
    expectProblem(expectation, 417);
  });

  test.each(['BREW', 'toString', 'constructor', '__proto__'])('the method %s gets 405', async (method) => {
    expectProblem(await h2.request(method, '/jobs'), 405);
  });

  test('100 Continue comes when the body is wanted', async () => {
    const stream = h2.send('POST', '/jobs', { 'content-type': 'application/json', expect: '100-continue' }, false);
    await within(new Promise<void>((resolve) => stream.once('continue', resolve)), '100 Continue');
    const status = statusOf(stream);
    stream.end('{"kind":"manual"}');
    expect(await status).toBe(202);
    await over(stream);
  });
});

describe('who may ask', () => {
  test.each(['example.com', 'localhost.example.com', '192.168.0.1'])(':authority %s gets 421', async (host) => {
    expectProblem(await h2.get('/healthz', { Host: host }), 421);
  });

  test('a Host field may repeat the :authority, and says nothing else', async () => {
    const ask = async (headers: http2.OutgoingHttpHeaders) => {
      const stream = h2.send('GET', '/healthz', headers);
      const status = await statusOf(stream);
      await over(stream);
      return status;
    };
    expect(await ask({ ':authority': 'localhost', host: 'localhost' })).toBe(200);
    expect(await ask({ ':authority': 'localhost', host: 'example.com' })).toBe(400);
    expect(await ask({ ':authority': 'example.com', host: 'localhost' })).toBe(400);
  });

  test('a page of another origin gets 403', async () => {
    expectProblem(await h2.get('/healthz', { Origin: 'https://example.com' }), 403);
  });
});

describe('many on one connection', () => {
  test('20 streams and 20 long polls are open at once, and a ping is answered at once', async () => {
    const experiment = newExperiment();
    const { jobId, links } = await h2.manual();
    const headers = { Experiment: experiment };
    const streams = await Promise.all(Array.from({ length: 20 }, () => h2.stream(links.events, headers)));
    const polls = Array.from({ length: 20 }, () => h2.get(links.result, { ...headers, Prefer: 'wait=60' }));
    await lab.held(experiment, 20);
    expect((await h2.get('/healthz')).status).toBe(200);
    await h2.finish(jobId, { result: 'ä' });
    for (const poll of polls) expect((await poll).json()).toBe('ä');
    for (const stream of streams) {
      expect((await stream.toTheEnd()).map(({ event }) => event)).toEqual(['queued', 'started', 'succeeded']);
      stream.close();
    }
    const { requests } = await lab.settled(experiment, 40);
    expect(new Set(requests.map(({ connection }) => connection)).size).toBe(1);
  });

  withSettings('one stream more than may be open', ['--max-streams', '3'], (limited) => {
    test('waits until another one ends, and the server does not hear of it before', async () => {
      const experiment = newExperiment();
      const client = await Http2Client.connect(await httpsUrlOf(limited));
      expect(client.session.remoteSettings.maxConcurrentStreams).toBe(3);
      const open = () => client.send('GET', '/events', { experiment });
      const opened = [open(), open(), open()];
      await Promise.all(opened.map(statusOf));
      const fourth = statusOf(open());
      // A request that was made later is answered, on a connection of its own: the fourth has had its time.
      expect((await limited.traffic(experiment)).requests).toHaveLength(3);
      opened[1]?.close(http2.constants.NGHTTP2_CANCEL);
      expect(await fourth).toBe(200);
      client.close();
      await limited.quiet(experiment);
    });
  });

  test('the limit is told, and 100 unless it is set: the 101st stream waits with the client', async () => {
    const experiment = newExperiment();
    const client = await Http2Client.connect(httpsUrl);
    expect(client.session.remoteSettings.maxConcurrentStreams).toBe(100);
    const streams = Array.from({ length: 101 }, () => client.send('GET', '/events', { experiment }));
    await Promise.all(streams.slice(0, 100).map(statusOf));
    expect((await lab.traffic(experiment)).requests).toHaveLength(100);
    client.close();
    await lab.quiet(experiment);
  });
});

describe('the ledger counts the payload of DATA frames', () => {
  /** The counts of an experiment with one request, once it is over. */
  async function counted(experiment: string) {
    const [row] = (await lab.settled(experiment, 1)).requests;
    return { in: row?.bytesIn, out: row?.bytesOut };
  }

  test('of a request with a body, and of its answer', async () => {
    const experiment = newExperiment();
    const answer = await h2.post('/jobs', { kind: 'manual', note: 'ä'.repeat(500) }, { Experiment: experiment });
    const sent = Buffer.byteLength(JSON.stringify({ kind: 'manual', note: 'ä'.repeat(500) }));
    expect(await counted(experiment)).toEqual({ in: sent, out: answer.body.length });
  });

  test.each(['GET', 'HEAD', 'OPTIONS'])('of %s, none for its head', async (method) => {
    const experiment = newExperiment();
    const answer = await h2.request(method, '/healthz', { headers: { Experiment: experiment } });
    expect(await counted(experiment)).toEqual({ in: 0, out: answer.body.length });
  });

  test('of an upload whose length is not told', async () => {
    const bytes = randomBytes(700_000);
    const experiment = newExperiment();
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += 7_777) yield bytes.subarray(at, at + 7_777);
    }
    const answer = await h2.upload(chunks(), { headers: { Experiment: experiment } });
    expect(answer.status).toBe(202);
    expect(await counted(experiment)).toEqual({ in: bytes.length, out: answer.body.length });
  });

  test('of a body that nobody wanted', async () => {
    const experiment = newExperiment();
    const answer = await h2.request('POST', '/nowhere', {
      headers: { Experiment: experiment },
      body: randomBytes(50_000),
    });
    expectProblem(answer, 404);
    expect(await counted(experiment)).toEqual({ in: 50_000, out: answer.body.length });
  });

  test('of an event stream, also while it is open', async () => {
    const experiment = newExperiment();
    const { jobId, links } = await h2.manual();
    const stream = await h2.stream(links.events, { Experiment: experiment });
    for (let n = 1; n <= 20; n++) await h2.progress(jobId, n / 20, { note: 'ü'.repeat(n) });
    await h2.finish(jobId);
    await stream.toTheEnd();
    const out = Buffer.byteLength(stream.raw);
    const [open] = (await lab.traffic(experiment)).requests;
    expect(open).toMatchObject({ bytesIn: 0, bytesOut: out, endedAt: null });
    stream.close();
    expect(await counted(experiment)).toEqual({ in: 0, out });
    expect(sum((await lab.traffic(experiment)).totals, 'events')).toBe(23);
  });
});

describe('a client that leaves', () => {
  test('a long poll and a stream that were reset are forgotten at once; the connection goes on', async () => {
    const experiment = newExperiment();
    const { links } = await h2.manual();
    const poll = h2.send('GET', links.result, { experiment, prefer: 'wait=60' });
    const stream = h2.send('GET', links.events, { experiment });
    await statusOf(stream);
    await lab.held(experiment);
    for (const one of [poll, stream]) one.close(http2.constants.NGHTTP2_CANCEL);
    const { requests } = await lab.settled(experiment, 2);
    expect(requests.find(({ technique }) => technique === 'long-poll')).toMatchObject({
      answeredAt: null,
      bytesOut: 0,
    });
    expect((await h2.get('/healthz')).status).toBe(200);
  });

  test('a connection that is cut ends all its requests', async () => {
    const experiment = newExperiment();
    const { links } = await lab.manual();
    const client = await Http2Client.connect(httpsUrl);
    for (let n = 0; n < 10; n++) client.send('GET', links.result, { experiment, prefer: 'wait=60' });
    await lab.held(experiment, 10);
    client.session.destroy();
    await lab.settled(experiment, 10);
  });

  test('streams opened and reset by the thousand harm nobody', async () => {
    const experiment = newExperiment();
    const { links } = await lab.manual();
    const client = await Http2Client.connect(httpsUrl);
    for (let n = 0; n < 3_000 && !client.session.destroyed; n++) {
      client.send('GET', links.result, { experiment, prefer: 'wait=60' }).close(http2.constants.NGHTTP2_CANCEL);
      if (n % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
    }
    client.close();
    await lab.quiet(experiment);
    expect((await h2.get('/healthz')).status).toBe(200);
  });
});

withSettings('limits', ['--max-upload-bytes', '100000', '--grace-ms', '500'], (own, server) => {
  let client: Http2Client;
  beforeAll(async () => {
    client = await Http2Client.connect(await httpsUrlOf(own));
  });
  afterAll(() => client.close());
  const uploads = () => filesOf(`${server().data}/uploads`);

  test('an upload that is too large is 413, and nothing is left of it', async () => {
    expectProblem(await client.upload(randomBytes(200_000)), 413);
    async function* chunks() {
      for (let n = 0; n < 200; n++) yield randomBytes(1_000);
    }
    expectProblem(await client.upload(chunks()), 413);
    expect(await uploads()).toEqual([]);
  });

  test.each([
    { broken: 'reset', off: (stream: http2.ClientHttp2Stream) => stream.destroy() },
    { broken: 'cut with its connection', off: (stream: http2.ClientHttp2Stream) => stream.session?.destroy() },
  ])('one that is $broken makes no job', async ({ off }) => {
    const experiment = newExperiment();
    const leaving = await Http2Client.connect(client.base);
    const stream = leaving.send('POST', '/jobs', { 'content-type': 'video/mp4', experiment }, false);
    stream.write(randomBytes(10_000));
    await own.held(experiment);
    await eventually(async () => (await uploads()).length === 1 || undefined, 'the upload to begin');
    const arrived = async () => (await own.traffic(experiment)).requests[0]?.bytesIn === 10_000 || undefined;
    await eventually(arrived, 'what was sent to arrive');
    off(stream);
    const [row] = (await own.settled(experiment, 1)).requests;
    expect(row).toMatchObject({ status: null, bytesIn: 10_000 });
    await eventually(async () => (await uploads()).length === 0 || undefined, 'half an upload to go');
    expect((await own.get('/jobs')).json<{ jobs: Job[] }>().jobs.filter(({ kind }) => kind === 'video')).toEqual([]);
    leaving.close();
  });

  test('a head that is too large is refused, and its connection goes on', async () => {
    const stream = client.send('GET', '/healthz', { 'x-padding': 'x'.repeat(20_000) });
    expect(await over(stream)).not.toBe(http2.constants.NGHTTP2_NO_ERROR);
    expect((await client.get('/healthz')).status).toBe(200);
  });
});

withSettings('time limits', ['--body-timeout-ms', '500', '--stall-ms', '2000'], (own, server) => {
  let client: Http2Client;
  beforeAll(async () => {
    client = await Http2Client.connect(await httpsUrlOf(own));
  });
  afterAll(() => client.close());

  test('an upload that falls silent is 408, and nothing is left of it', async () => {
    const stream = client.send('POST', '/jobs', { 'content-type': 'video/mp4' }, false);
    stream.write('half');
    expect(await statusOf(stream)).toBe(408);
    await over(stream);
    expect(await filesOf(`${server().data}/uploads`)).toEqual([]);
  });

  test('a reader that takes nothing is dropped, and its connection goes on', async () => {
    const experiment = newExperiment();
    const stream = client.send('GET', '/events', { experiment });
    await statusOf(stream);
    stream.pause();
    for (let round = 0; round < 5; round++) {
      await own.until((await own.simulated({ durationMs: 0, steps: 1000 })).jobId);
    }
    const [row] = (await own.settled(experiment, 1)).requests;
    expect(row?.bytesOut).toBeGreaterThan(0);
    expect(await over(stream)).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR);
    expect((await client.get('/healthz')).status).toBe(200);
  });
});

ownServers('SIGTERM', () => {
  test('streams are ended, waits are answered, the connection is told to go away', async () => {
    await withServer([], async (server, http1) => {
      const client = await Http2Client.connect(await httpsUrlOf(http1));
      const experiment = newExperiment();
      const { links } = await client.manual();
      const stream = await client.stream(links.events);
      await stream.opened();
      const poll = client.get(links.result, { Prefer: 'wait=60', Experiment: experiment });
      await client.held(experiment);
      const toldToGo = new Promise<number>((resolve) => client.session.once('goaway', resolve));
      server.kill('SIGTERM');
      await within(stream.ended, 'the stream to end');
      expect((await poll).status).toBe(202);
      expect(await within(toldToGo, 'GOAWAY')).toBe(http2.constants.NGHTTP2_NO_ERROR);
      expect(await within(server.exited, 'the server to exit')).toMatchObject({ code: 0 });
    });
  });
});

test('curl reads an event stream over HTTP/2', async (context) => {
  const curl = findCurl();
  need(context, curl && (await promisify(execFile)(curl, ['--version'])).stdout.includes('HTTP2'), 'curl with HTTP/2');
  const { links } = await h2.finished();
  const args = [
    '--insecure',
    '--http2',
    '--no-buffer',
    '--silent',
    '--include',
    '--max-time',
    '3',
    httpsUrl + links.events,
  ];
  const { stdout } = await promisify(execFile)('curl', args).catch((ended: { stdout: string }) => ended);
  expect(stdout).toMatch(/^HTTP\/2 200/);
  expect(stdout).toContain('event: succeeded');
});
