import nodeFetch from 'node-fetch';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect, server } from './connect.js';
import { experiment } from './experiment.js';
import { ledger, witnesses } from './ledger.js';
import { type OwnServer, startServer } from './own-server.js';

let own: OwnServer;
let url: string;
beforeAll(async () => {
  own = await startServer();
  vi.stubEnv('POLLING_LAB_URL', own.url);
  vi.spyOn(console, 'log').mockImplementation(() => {});
  ({ url } = await connect());
  (globalThis as Record<symbol, unknown>)[Symbol.for('polling-lab.display')] = () => {};
}, 60_000);
afterAll(() => {
  own.process.kill();
  vi.unstubAllEnvs();
});

const json = { 'Content-Type': 'application/json' };
const manual = { method: 'POST', headers: json, body: '{"kind":"manual"}' };

it('has connected to the server that was named', () => {
  expect(server()).toMatchObject({ url, origin: 'environment' });
});

describe.each([
  ['node-fetch', nodeFetch],
  ["Node's own fetch", fetch as unknown as typeof nodeFetch],
])('with %s', (_name, client) => {
  it('agrees with the ledger about the technique of every request', async () => {
    const run = experiment('all techniques', client);
    const job = (await (await run.fetch(`${url}/jobs`, manual)).json()) as { jobId: string };
    const at = `${url}/jobs/${job.jobId}`;
    const asks: [path: string, headers?: Record<string, string>][] = [
      [''],
      ['', { Prefer: 'wait=0' }],
      ['?wait=0'],
      ['?client=7'],
      ['/result'],
      ['/result', { Prefer: 'respond-async, wait=0' }],
      ['/events?wait=0', { Accept: 'application/json' }],
    ];
    for (const [path, headers] of asks) await (await run.fetch(at + path, { headers: headers ?? {} })).text();
    await (await run.fetch(`${url}/events?wait=0`, { headers: { Accept: 'application/json' } })).text();
    await (await run.fetch(`${url}/jobs`)).text();
    await (await run.fetch(at, { method: 'DELETE' })).text();
    const seen = await witnesses(run);
    expect(run.rows.map(({ technique }) => technique)).toEqual(seen.requests.map(({ technique }) => technique));
    expect(run.rows.map(({ status }) => status)).toEqual(seen.requests.map(({ status }) => status));
    expect(run.rows.every(({ endedAt }) => endedAt !== null)).toBe(true);
  });

  it('records a stream as open until it is left', async () => {
    const run = experiment('a stream', client);
    const leave = new AbortController();
    await run.fetch(`${url}/events`, {
      headers: { Accept: 'text/event-stream' },
      signal: leave.signal,
    });
    expect(run.rows[0]).toMatchObject({ technique: 'event-stream', status: 200, endedAt: null });
    expect((await ledger(run)).totals['event-stream']).toMatchObject({ requests: 1, open: 1 });
    leave.abort();
  });

  it('records what was aborted, and passes the error on', async () => {
    const run = experiment('aborted', client);
    await expect(run.fetch(`${url}/jobs`, { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(run.rows[0]).toMatchObject({ status: null, error: expect.stringContaining('abort') });
  });

  it('keeps the headers that it is given, in whatever form', async () => {
    const run = experiment('headers', client);
    const made = await client(`${url}/jobs`, manual);
    const { links } = (await made.json()) as { links: { self: string } };
    const known = { 'If-None-Match': made.headers.get('etag') ?? '"2"' };
    for (const headers of [known, new Headers(known), Object.entries(known)]) {
      expect((await run.fetch(url + links.self, { headers: headers as never })).status).toBe(304);
    }
  });
});

it('gives every run a name of its own, so that a cell can be run again', () => {
  expect(experiment('x', nodeFetch).name).not.toBe(experiment('x', nodeFetch).name);
});

it('names the notebook first, within what the ledger keeps of a name', () => {
  expect(experiment('one client', nodeFetch, '03-short-polling').name).toMatch(
    /^03-short-polling \/ one client #[0-9a-f]{6}$/,
  );
  expect(experiment('one client', nodeFetch, '').name).toMatch(/^one client #/);
  expect(experiment('x'.repeat(200), nodeFetch, 'é'.repeat(200)).name).toMatch(/^_{25} \/ x{60} #.{6}$/);
});

it('changes nothing of the request but one header', async () => {
  const plain = experiment('a', async (_url: string | URL, init?: Record<string, unknown>) => ({
    status: 200,
    body: null,
    init,
  }));
  const response = await plain.fetch('http://localhost/jobs', {
    method: 'POST',
    body: 'x',
    headers: { a: 'b' },
  });
  expect(response.init).toEqual({
    method: 'POST',
    body: 'x',
    headers: { a: 'b', experiment: plain.name },
  });
});

it('tells a learner what to do about a path without a server, and about a server that is gone', async () => {
  const run = experiment('mistakes', nodeFetch);
  await expect(run.fetch('/jobs')).rejects.toThrow('Expected a whole URL, got "/jobs". Put the server\'s in front');
  await expect(run.fetch('http://127.0.0.1:9/')).rejects.toThrow(
    /^No server answers at http:\/\/127\.0\.0\.1:9\. Run again the cell that gave you this URL/,
  );
  await expect(experiment('own', fetch as never as typeof nodeFetch).fetch('http://127.0.0.1:9/')).rejects.toThrow();
});

it('fails when the witnesses differ by a single request', async () => {
  const run = experiment('one past the record', nodeFetch);
  await run.fetch(`${url}/jobs/none`);
  await nodeFetch(`${url}/jobs/none`, { headers: { Experiment: run.name } });
  await expect(witnesses(run)).rejects.toThrow(
    'The witnesses disagree about short-poll: the client sent 1 requests, the ledger saw 2.',
  );
});
