import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, newExperiment, sum } from './client.js';
import { RawConnection } from './raw.js';
import { target } from './server.js';
import { openTap, type Tap, type TappedConnection } from './tap.js';
import { within } from './within.js';

/*
 * "`bytesIn` and `bytesOut` (HTTP/1.1: as on the connection, head and framing included)": the ledger against a TCP
 * proxy that counts bytes and knows nothing of HTTP. Equal, to the byte.
 */

const lab = target();
let tap: Tap;
const tapped = new Client();

beforeAll(async () => {
  tap = await openTap(lab.base);
  tapped.base = tap.url;
});
afterAll(() => tap.close());

/** The one connection that a test has made, once it is closed on both sides. */
async function connectionSince(mark: number): Promise<TappedConnection> {
  expect(tap.connections.length).toBe(mark + 1);
  const connection = tap.connections[mark];
  if (!connection) throw new Error('no connection');
  await within(connection.closed, 'the tapped connection to close');
  return connection;
}

async function expectEqualToTheTap(experiment: string, requests: number, mark: number) {
  const connection = await connectionSince(mark);
  const { totals, requests: rows } = await lab.settled(experiment, requests);
  expect({ in: sum(totals, 'bytesIn'), out: sum(totals, 'bytesOut') }).toEqual({
    in: connection.in,
    out: connection.out,
  });
  return rows;
}

/** A request head that names an experiment; lines are further header lines. */
function head(method: string, path: string, experiment: string, ...lines: string[]): string {
  return `${[`${method} ${path} HTTP/1.1`, 'Host: localhost', `Experiment: ${experiment}`, ...lines].join('\r\n')}\r\n\r\n`;
}

describe('the byte counts of the ledger equal those of a TCP tap', () => {
  test('one request, with Connection: close', async () => {
    const experiment = newExperiment();
    const mark = tap.connections.length;
    await tapped.get('/healthz', { Experiment: experiment, Connection: 'close' });
    await expectEqualToTheTap(experiment, 1, mark);
  });

  test('many on one connection, each row by itself', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const mark = tap.connections.length;
    const raw = await RawConnection.connect(tap.url);
    const requests = [
      head('GET', `/jobs/${jobId}`, experiment),
      head('HEAD', `/jobs/${jobId}`, experiment),
      head('GET', '/jobs/nobody', experiment, 'X-Padding: '.padEnd(500, 'x')),
      head('GET', `/jobs/${jobId}/result`, experiment),
      head('OPTIONS', '/jobs', experiment, 'Origin: http://localhost:1', 'Access-Control-Request-Method: POST'),
      `${head('POST', '/jobs', experiment, 'Content-Type: application/json', 'Content-Length: 17')}{"kind":"manual"}`,
      head('GET', '/nowhere', experiment),
      head('GET', `/jobs/${jobId}/events`, experiment, 'Accept: application/json'),
      // Last, since a server may close a connection on which it did not want the body.
      `${head('PUT', '/jobs', experiment, 'Content-Length: 5')}hello`,
    ];
    const methods = requests.map((request) => request.slice(0, request.indexOf(' ')));
    for (const [index, request] of requests.entries()) {
      await raw.send(request);
      await raw.responses(index + 1, methods);
    }
    const responses = await raw.responses(requests.length, methods);
    raw.close();
    const rows = await expectEqualToTheTap(experiment, requests.length, mark);
    expect(rows.map((row) => row.bytesIn)).toEqual(requests.map((request) => request.length));
    expect(rows.map((row) => row.bytesOut)).toEqual(responses.map((answer) => answer.length));
  });

  test('pipelined, each row by itself', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const mark = tap.connections.length;
    const raw = await RawConnection.connect(tap.url);
    const requests = Array.from({ length: 20 }, (_, n) =>
      head('GET', n % 2 ? `/jobs/${jobId}` : '/jobs/nobody', experiment, `X-Padding: ${'x'.repeat(n)}`),
    );
    await raw.send(requests.join(''));
    const responses = await raw.responses(20);
    raw.close();
    const rows = await expectEqualToTheTap(experiment, 20, mark);
    expect(rows.map((row) => row.bytesIn)).toEqual(requests.map((request) => request.length));
    expect(rows.map((row) => row.bytesOut)).toEqual(responses.map((answer) => answer.length));
  });

  test('pipelined in slices that cut across heads and bodies', async () => {
    const experiment = newExperiment();
    const mark = tap.connections.length;
    const raw = await RawConnection.connect(tap.url);
    const body = '{"kind":"manual"}';
    const submit = head('POST', '/jobs', experiment, 'Content-Type: application/json', 'Content-Length: 17') + body;
    const chunked =
      head('POST', '/jobs', experiment, 'Content-Type: application/json', 'Transfer-Encoding: chunked') +
      `5;an=extension\r\n${body.slice(0, 5)}\r\nc\r\n${body.slice(5)}\r\n0\r\nTrailer: x\r\n\r\n`;
    const requests = [submit, chunked, head('GET', '/healthz', experiment), chunked, submit];
    const bytes = requests.join('');
    for (let at = 0; at < bytes.length; at += 37) await raw.send(bytes.slice(at, at + 37));
    const responses = await raw.responses(requests.length);
    expect(responses.map(({ status }) => status)).toEqual([202, 202, 200, 202, 202]);
    raw.close();
    // Where a request is answered while a part of the next one has come, that part is in its row: the sum is what counts.
    const [first] = await expectEqualToTheTap(experiment, requests.length, mark);
    expect(first?.bytesIn).toBe(submit.length);
  });

  test.each([
    ['whole', 0],
    ['in two pieces', 1],
  ])('pipelined behind chunked bodies that come %s, each row by itself', async (_, pieces) => {
    const experiment = newExperiment();
    const mark = tap.connections.length;
    const raw = await RawConnection.connect(tap.url);
    const chunk = (text: string, extension = '') => `${text.length.toString(16)}${extension}\r\n${text}\r\n`;
    const json = head('POST', '/jobs', experiment, 'Content-Type: application/json', 'Transfer-Encoding: chunked');
    const video = head('POST', '/jobs', experiment, 'Content-Type: video/mp4', 'Transfer-Encoding: chunked');
    const get = head('GET', '/healthz', experiment);
    const requests = [
      `${json}${chunk('{"kind":', ';an=extension')}${chunk('"manual"}')}0\r\n\r\n`,
      get,
      // A body that looks like what comes behind it.
      `${video}${chunk(`x${get}`)}0;last\r\nTrailer: x\r\nAnother: y\r\n\r\n`,
      get,
      `${json}${chunk('{"kind":"manual"}')}0\r\n\r\n`,
      `${json}${chunk('{"kind":"manual"}')}0\r\n\r\n`,
      get,
    ];
    const bytes = requests.join('');
    // The first request is on its way when the rest comes, so that nothing is answered in between.
    const cut = pieces * (json.length + 10);
    if (cut > 0) {
      await raw.send(bytes.slice(0, cut));
      await lab.held(experiment);
    }
    await raw.send(bytes.slice(cut));
    const responses = await raw.responses(requests.length);
    expect(responses.map(({ status }) => status)).toEqual([202, 200, 202, 200, 202, 202, 200]);
    raw.close();
    const rows = await expectEqualToTheTap(experiment, requests.length, mark);
    expect(rows.map((row) => row.bytesIn)).toEqual(requests.map((request) => request.length));
  });

  test('requests for the ledger itself, in between, are in no row', async () => {
    const experiment = newExperiment();
    const raw = await RawConnection.connect(lab.base);
    const poll = head('GET', '/jobs/nobody', experiment);
    const ledger = head('GET', `/traffic?experiment=${newExperiment()}`, experiment);
    await raw.send(poll + ledger + poll);
    const responses = await raw.responses(3);
    raw.close();
    const { requests } = await lab.settled(experiment, 2);
    expect(requests.map((row) => row.bytesIn)).toEqual([poll.length, poll.length]);
    expect(requests.map((row) => row.bytesOut)).toEqual([responses[0]?.length, responses[2]?.length]);
  });

  test('an upload with a Content-Length, one that is chunked, and one with 100 Continue', async () => {
    const bytes = randomBytes(700_000);
    const experiments = [newExperiment(), newExperiment(), newExperiment()] as const;
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += 7_777) yield bytes.subarray(at, at + 7_777);
    }
    for (const [index, experiment] of experiments.entries()) {
      const mark = tap.connections.length;
      const headers = { Experiment: experiment, Connection: 'close' };
      if (index < 2) {
        const answer = await tapped.upload(index ? chunks() : bytes, { headers });
        expect(answer.status).toBe(202);
      } else {
        const raw = await RawConnection.connect(tap.url);
        await raw.send(
          head(
            'POST',
            '/jobs',
            experiment,
            'Content-Type: video/mp4',
            `Content-Length: ${bytes.length}`,
            'Expect: 100-continue',
          ),
        );
        await raw.responses(1);
        await raw.send(bytes);
        const answers = await raw.responses(2);
        expect(answers.map(({ status }) => status)).toEqual([100, 202]);
        raw.close();
      }
      await expectEqualToTheTap(experiment, 1, mark);
    }
  });

  test('a long poll, held and then answered', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const mark = tap.connections.length;
    const poll = tapped.get(`/jobs/${jobId}/result`, {
      Prefer: 'wait=60',
      Experiment: experiment,
      Connection: 'close',
    });
    await lab.held(experiment);
    await lab.finish(jobId, { result: 'é'.repeat(1000) });
    expect((await poll).status).toBe(200);
    await expectEqualToTheTap(experiment, 1, mark);
  });

  test('an event stream that the client leaves, with all its events', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const mark = tap.connections.length;
    const stream = await tapped.stream(`/jobs/${jobId}/events`, { Experiment: experiment });
    for (let n = 1; n <= 20; n++) await lab.progress(jobId, n / 20, { note: 'ü'.repeat(n) });
    await lab.finish(jobId);
    await stream.toTheEnd();
    // While it is open the counts are already those of the tap.
    const [open] = (await lab.traffic(experiment)).requests;
    expect({ in: open?.bytesIn, out: open?.bytesOut }).toEqual({
      in: tap.connections[mark]?.in,
      out: tap.connections[mark]?.out,
    });
    stream.close();
    const [row] = await expectEqualToTheTap(experiment, 1, mark);
    expect(row?.events).toBe(23);
  });

  test('an upload that the client breaks off', async () => {
    const experiment = newExperiment();
    const mark = tap.connections.length;
    const raw = await RawConnection.connect(tap.url);
    await raw.send(head('POST', '/jobs', experiment, 'Content-Type: video/mp4', 'Content-Length: 900000'));
    await raw.send(randomBytes(123_456));
    await lab.held(experiment);
    raw.socket.end();
    await within(raw.closed, 'the server to close a connection that broke off');
    await expectEqualToTheTap(experiment, 1, mark);
  });

  test('a long poll that the client gives up', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const mark = tap.connections.length;
    const raw = await RawConnection.connect(tap.url);
    await raw.send(head('GET', `/jobs/${jobId}/result`, experiment, 'Prefer: wait=60'));
    await lab.held(experiment);
    raw.close();
    const [row] = await expectEqualToTheTap(experiment, 1, mark);
    expect(row).toMatchObject({ answeredAt: null, bytesOut: 0 });
  });
});
