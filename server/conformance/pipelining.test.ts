import { describe, expect, test } from 'vitest';
import { newExperiment } from './client.js';
import { RawConnection } from './raw.js';
import { target } from './server.js';
import { eventually } from './within.js';

const lab = target();

/** A request of HTTP/1.1 as bytes. */
function request(method: string, path: string, json?: object, headers: Record<string, string> = {}): string {
  const body = json === undefined ? '' : JSON.stringify(json);
  const typed = json === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length };
  const fields = Object.entries({ Host: 'localhost', ...typed, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return `${[`${method} ${path} HTTP/1.1`, ...fields].join('\r\n')}\r\n\r\n${body}`;
}

/** Sends requests in one piece, and resolves with their answers: status, and body where it is JSON. */
async function pipelined(...requests: string[]): Promise<[number, Record<string, unknown> | null][]> {
  const raw = await RawConnection.connect(lab.base);
  await raw.send(requests.join(''));
  const answers = await raw.responses(requests.length);
  raw.close();
  return answers.map(({ status, body }) => [status, body === '' ? null : JSON.parse(body)]);
}

const path = async () => (await lab.manual()).links.self;
const video = request('POST', '/jobs', undefined, { 'Content-Type': 'video/mp4', 'Content-Length': '5' });

// RFC 9112, section 9.3.2: only requests with safe methods may be processed in parallel.
describe('pipelined requests are processed in their order', () => {
  test('a finish, and what the job then is', async () => {
    const job = await path();
    const answers = await pipelined(
      request('POST', `${job}/finish`, { result: { answer: 42 } }),
      request('GET', job),
      request('GET', `${job}/result`),
    );
    expect(answers).toMatchObject([
      [204, null],
      [200, { state: 'succeeded' }],
      [200, { answer: 42 }],
    ]);
  });

  test('progress, a cancel, and a finish that comes too late', async () => {
    const job = await path();
    const answers = await pipelined(
      request('POST', `${job}/progress`, { progress: 0.25 }),
      request('POST', `${job}/progress`, { progress: 0.5 }),
      request('DELETE', job),
      request('POST', `${job}/finish`, { result: 1 }),
      request('GET', job),
    );
    const cancelled = { state: 'cancelled', progress: 0.5 };
    expect(answers).toMatchObject([
      [204, null],
      [204, null],
      [200, cancelled],
      [409, {}],
      [200, cancelled],
    ]);
  });

  test('submits of all kinds, and the list of jobs', async () => {
    const answers = await pipelined(
      request('POST', '/jobs', { kind: 'manual' }),
      `${video}video`,
      request('POST', '/jobs', { kind: 'simulated', durationMs: 0 }),
      request('GET', '/jobs?limit=3'),
    );
    const ids = answers.slice(0, 3).map(([, job]) => job!.jobId);
    const { jobs } = answers[3]![1] as { jobs: { jobId: string }[] };
    expect(jobs.map(({ jobId }) => jobId)).toEqual(ids.reverse());
  });

  test('but one that is held does not hold up those behind it: they may be what it waits for', async () => {
    const job = await path();
    const waits = { Prefer: 'wait=60' };
    const answers = pipelined(
      request('GET', `${job}/result`, undefined, waits),
      request('POST', '/jobs', { kind: 'manual' }, waits),
      request('DELETE', job),
      request('GET', job),
    );
    const cancelled = async () => (await lab.get(job)).json<{ state: string }>().state === 'cancelled' || undefined;
    await eventually(cancelled, 'the cancel behind a held submit');
    const { jobs } = (await lab.get('/jobs?state=running&limit=1')).json<{ jobs: { jobId: string }[] }>();
    await lab.finish(jobs[0]!.jobId, { result: 8 });
    expect(await answers).toMatchObject([
      [409, {}],
      [200, 8],
      [200, {}],
      [200, { state: 'cancelled' }],
    ]);
  });
});

test('a client that leaves is noticed, also while answers are queued behind one that is held', async () => {
  const headers = { Experiment: newExperiment() };
  const raw = await RawConnection.connect(lab.base);
  const paths = [`${await path()}/result?wait=60`, '/openapi.json', '/healthz', '/healthz'];
  await raw.send(paths.map((one) => request('GET', one, undefined, headers)).join(''));
  // By now, Node reads no more of the connection: more is queued than it takes.
  await eventually(async () => {
    const { requests } = await lab.traffic(headers.Experiment);
    return requests.filter(({ status }) => status === 200).length === 3 || undefined;
  }, 'the answers that are queued');
  raw.close();
  await lab.settled(headers.Experiment, 4);
});
