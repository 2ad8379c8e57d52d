import { describe, expect, test } from 'vitest';
import { type Client, newExperiment, sum, total } from './client.js';
import { expectProblem, TIMESTAMP } from './expectations.js';
import { RawConnection } from './raw.js';
import { hops, target, withSettings } from './server.js';
import type { Row } from './types.js';

const lab = target();

/** The rows of an experiment, once so many requests are over, as "METHOD route technique status". */
async function told(client: Client, experiment: string, requests: number): Promise<string[]> {
  const { requests: rows } = await client.settled(experiment, requests);
  return rows.map((row) => `${row.method} ${row.route} ${row.technique} ${row.status}`);
}

describe('GET /traffic?experiment=', () => {
  test('a row for each request: method, route, technique, status', async () => {
    const experiment = newExperiment();
    const headers = { Experiment: experiment };
    const { jobId } = await lab.manual(headers);
    await lab.get(`/jobs/${jobId}`, headers);
    await lab.get(`/jobs/${jobId}/result`, headers);
    await lab.get('/jobs/nobody', headers);
    await lab.get('/jobs?limit=1', headers);
    await lab.post(`/jobs/${jobId}/progress`, { progress: 0.5 }, headers);
    await lab.post(`/jobs/${jobId}/finish`, { result: 1 }, headers);
    await lab.get(`/jobs/${jobId}/events`, { ...headers, Accept: 'application/json' });
    await lab.delete(`/jobs/${jobId}`, headers);
    expect(await told(lab, experiment, 9)).toEqual([
      'POST /jobs submit 202',
      'GET /jobs/{id} short-poll 200',
      'GET /jobs/{id}/result other 202',
      'GET /jobs/{id} short-poll 404',
      'GET /jobs other 200',
      'POST /jobs/{id}/progress other 204',
      'POST /jobs/{id}/finish other 204',
      'GET /jobs/{id}/events consume 200',
      'DELETE /jobs/{id} other 200',
    ]);
  });

  test('long polls, waiting submits, streams and consumers each have their technique', async () => {
    const experiment = newExperiment();
    const headers = { Experiment: experiment };
    const job = await lab.finished();
    await lab.get(`${job.links.result}`, { ...headers, Prefer: 'wait=5' });
    await lab.get(`${job.links.result}?wait=5`, headers);
    const tag = { 'If-None-Match': `"${job.version}"` };
    await lab.get(job.links.self, { ...headers, ...tag, Prefer: 'wait=5' });
    await lab.get(`${job.links.self}?wait=5`, { ...headers, ...tag });
    await lab.manual({ ...headers, Prefer: 'wait=0' });
    await lab.get(`${job.links.events}`, { ...headers, Accept: 'application/json' });
    const stream = await lab.stream(job.links.events, headers);
    await stream.toTheEnd();
    stream.close();
    const all = await lab.stream('/events', headers);
    await all.next();
    all.close();
    await lab.get('/events', { ...headers, Accept: 'application/json' });
    expect(await told(lab, experiment, 9)).toEqual([
      'GET /jobs/{id}/result long-poll 200',
      'GET /jobs/{id}/result long-poll 200',
      'GET /jobs/{id} long-poll 304',
      'GET /jobs/{id} long-poll 304',
      'POST /jobs submit 202',
      'GET /jobs/{id}/events consume 200',
      'GET /jobs/{id}/events event-stream 200',
      'GET /events event-stream 200',
      'GET /events consume 200',
    ]);
  });

  test('the experiment is named by the header or by ?experiment=', async () => {
    const experiment = newExperiment();
    await lab.get('/healthz', { Experiment: experiment });
    await lab.get(`/healthz?experiment=${experiment}`);
    await lab.get('/healthz');
    const { requests } = await lab.settled(experiment, 2);
    expect(requests.map((row) => row.experiment)).toEqual([experiment, experiment]);
  });

  test('a row tells when it arrived, was answered and ended, in this order', async () => {
    const experiment = newExperiment();
    await lab.get('/healthz', { Experiment: experiment });
    const { requests } = await lab.settled(experiment, 1);
    const [row] = requests as [Row];
    const times = [row.arrivedAt, row.answeredAt, row.endedAt].map(String);
    for (const time of times) expect(time).toMatch(TIMESTAMP);
    const order = times.map((time) => Date.parse(time));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(row.protocol).toMatch(/1\.1/);
  });

  test('open requests are in it, with their bytes so far: answeredAt is null while held', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const poll = lab.get(`/jobs/${jobId}/result`, { Prefer: 'wait=60', Experiment: experiment });
    const [held] = await lab.held(experiment);
    expect(held).toMatchObject({
      route: '/jobs/{id}/result',
      technique: 'long-poll',
      answeredAt: null,
      endedAt: null,
    });
    expect(held?.bytesIn).toBeGreaterThan(0);
    expect(total(await lab.traffic(experiment), 'long-poll')).toMatchObject({
      requests: 1,
      open: 1,
      bytesIn: held?.bytesIn,
      bytesOut: 0,
    });
    await lab.finish(jobId);
    expect((await poll).status).toBe(200);
    const after = await lab.settled(experiment, 1);
    expect(total(after, 'long-poll').open).toBe(0);
    expect(total(after, 'long-poll').bytesOut).toBeGreaterThan(0);
  });

  test('a stream is answered and open; its events and bytes grow', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const stream = await lab.stream(`/jobs/${jobId}/events`, { Experiment: experiment });
    await stream.upTo('started');
    const [first] = (await lab.traffic(experiment)).requests as [Row];
    expect(first).toMatchObject({ technique: 'event-stream', status: 200, endedAt: null });
    expect(first.answeredAt).toMatch(TIMESTAMP);
    expect(first.events).toBe(2);
    await lab.progress(jobId, 0.5);
    await stream.upTo('progress');
    const traffic = await lab.traffic(experiment);
    const [second] = traffic.requests as [Row];
    expect(second.events).toBe(3);
    expect(second.bytesOut).toBeGreaterThan(first.bytesOut);
    expect(total(traffic, 'event-stream')).toEqual({
      requests: 1,
      open: 1,
      events: 3,
      bytesIn: second.bytesIn,
      bytesOut: second.bytesOut,
    });
    stream.close();
    await lab.settled(experiment, 1);
  });

  test('events counts the events of a consumed page', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.simulated({ steps: 5 });
    await lab.until(jobId);
    await lab.consume(`/jobs/${jobId}/events?experiment=${experiment}`);
    const { requests } = await lab.settled(experiment, 1);
    expect(requests[0]?.events).toBe(8);
  });

  test('totals are the sums of the rows, technique by technique', async () => {
    const experiment = newExperiment();
    const headers = { Experiment: experiment };
    const { jobId } = await lab.manual(headers);
    for (let n = 0; n < 5; n++) await lab.get(`/jobs/${jobId}`, headers);
    await lab.get(`/jobs/${jobId}/events`, { ...headers, Accept: 'application/json' });
    const { requests, totals } = await lab.settled(experiment, 7);
    for (const technique of ['submit', 'short-poll', 'consume'] as const) {
      const rows = requests.filter((row) => row.technique === technique);
      const add = (member: 'bytesIn' | 'bytesOut' | 'events') => rows.reduce((all, row) => all + row[member], 0);
      expect(totals[technique]).toEqual({
        requests: rows.length,
        bytesIn: add('bytesIn'),
        bytesOut: add('bytesOut'),
        events: add('events'),
        open: 0,
      });
    }
    expect(sum(totals, 'requests')).toBe(7);
  });

  test('connection tells which TCP connection', async () => {
    const experiment = newExperiment();
    const request = `GET /healthz HTTP/1.1\r\nHost: localhost\r\nExperiment: ${experiment}\r\n\r\n`;
    const one = await RawConnection.connect(lab.base);
    await one.send(request);
    await one.responses(1);
    await one.send(request);
    await one.responses(2);
    const two = await RawConnection.connect(lab.base);
    await two.send(request);
    await two.responses(1);
    one.close();
    two.close();
    const { requests } = await lab.settled(experiment, 3);
    const [a, b, c] = requests.map((row) => row.connection);
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });

  test('the ledger itself is not counted', async () => {
    const experiment = newExperiment();
    await lab.get('/healthz', { Experiment: experiment });
    await lab.get('/traffic', { Experiment: experiment });
    await lab.traffic(experiment);
    await lab.settled(experiment, 1);
    const { requests } = await lab.traffic(experiment);
    expect(requests.map((row) => row.route)).toEqual(['/healthz']);
  });

  test('an experiment that nobody named is empty, not an error', async () => {
    const { requests, totals } = await lab.traffic(newExperiment());
    expect(requests).toEqual([]);
    expect(sum(totals, 'requests')).toBe(0);
  });

  test('without experiment it is all of them', async () => {
    const experiment = newExperiment();
    await lab.get('/healthz', { Experiment: experiment });
    await lab.get('/healthz');
    const { requests } = await lab.traffic();
    const names = requests.map((row) => row.experiment);
    expect(names).toContain(experiment);
    expect(names.some((name) => name !== experiment)).toBe(true);
  });

  test('refused requests are seen too, whatever their path', async () => {
    const experiment = newExperiment();
    const headers = { Experiment: experiment };
    expectProblem(await lab.get('/nowhere', headers), 404);
    expectProblem(await lab.request('PUT', '/jobs', { headers }), 405);
    expectProblem(await lab.post('/jobs', { kind: 'none' }, headers), 400);
    const { requests, totals } = await lab.settled(experiment, 3);
    expect(requests.map((row) => row.status)).toEqual([404, 405, 400]);
    expect(sum(totals, 'requests')).toBe(3);
    // One that the guard refuses is in no experiment.
    expectProblem(await lab.get('/healthz', { ...headers, Origin: 'https://example.com' }), 403);
    const last = (await lab.traffic()).requests.findLast(({ route }) => route === null || route === '/healthz');
    expect(last).toMatchObject({ status: 403, experiment: null });
  });

  test.each(['a b', 'naïve', "quote'd", 'x'.repeat(60), '%41', '<b>'])(
    'any name will do that a header can carry: %s',
    async (name) => {
      const experiment = `${name} ${newExperiment()}`;
      const header = Buffer.from(experiment, 'utf8').toString('latin1');
      const answer = await lab.get('/healthz', { Experiment: header });
      if (answer.status !== 200) return void expectProblem(answer, 400);
      const byHeader = await lab.traffic(experiment);
      await lab.get(`/healthz?experiment=${encodeURIComponent(experiment)}`);
      expect(byHeader.requests.length).toBeLessThanOrEqual(1);
      expect((await lab.traffic(experiment)).requests.length).toBeGreaterThan(0);
    },
  );

  test('as text/event-stream it is live', async ({ skip }) => {
    skip(hops, 'each server of a cluster has a ledger of its own');
    const experiment = newExperiment();
    const live = await lab.stream(`/traffic?experiment=${experiment}`);
    expect(live.headers['content-type']).toContain('text/event-stream');
    await live.opened();
    await lab.get('/jobs/nobody', { Experiment: experiment });
    for (;;) {
      const { text } = await live.next();
      if (text.includes('short-poll') && text.includes('404')) break;
    }
    live.close();
    // Watching is not counted either.
    expect((await lab.settled(experiment, 1)).requests[0]?.route).toBe('/jobs/{id}');
  });
});

withSettings('ledger rows are bounded', ['--max-rows', '5'], (few) => {
  test('the oldest go, and totals stay exact', async () => {
    const experiment = newExperiment();
    const headers = { Experiment: experiment };
    for (let n = 0; n < 4; n++) await few.get('/healthz', headers);
    for (let n = 0; n < 8; n++) await few.get('/jobs/nobody', headers);
    const { requests, totals } = await few.quiet(experiment);
    expect(requests.map((row) => row.route)).toEqual(Array(5).fill('/jobs/{id}'));
    expect(totals['short-poll']?.requests).toBe(8);
    expect(totals.other?.requests).toBe(4);
    const [row] = requests as [Row];
    expect(totals['short-poll']?.bytesIn).toBe(8 * row.bytesIn);
    expect(totals['short-poll']?.bytesOut).toBe(8 * row.bytesOut);
  });

  test('a request that is still open may lose its row, not its place in the totals', async () => {
    const experiment = newExperiment();
    const headers = { Experiment: experiment };
    const { jobId } = await few.manual();
    const poll = few.get(`/jobs/${jobId}/result`, { ...headers, Prefer: 'wait=60' });
    await few.held(experiment);
    for (let n = 0; n < 8; n++) await few.get('/healthz', headers);
    expect(total(await few.traffic(experiment), 'long-poll')).toMatchObject({
      requests: 1,
      open: 1,
    });
    await few.finish(jobId);
    expect((await poll).status).toBe(200);
    const after = total(await few.quiet(experiment), 'long-poll');
    expect(after.requests).toBe(1);
    expect(after.bytesOut).toBeGreaterThan(0);
  });
});
