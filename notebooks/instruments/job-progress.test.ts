import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { withProgress } from './job-progress.js';

const step = (id: number) => {
  const at = `2026-01-01T00:00:0${id}.000Z`;
  return { id: String(id), event: 'progress', at, data: { progress: id / 4 } };
};
const known = (...ids: number[]) => ids.map((id) => ({ at: step(id).at, progress: id / 4 }));
const links = { self: '/jobs/1', result: '/jobs/1/result', events: '/jobs/1/events' };
const [running, done] = [null, '2026-01-01T00:00:05Z'].map((finishedAt) => ({ links, finishedAt }));

/** What the server was asked, in order, and how it answers that. */
let asked: string[] = [];
const answers: Record<string, object> = {};
const server = createServer((request, response) => {
  asked.push(request.url as string);
  const answer = answers[request.url as string];
  if (!answer) request.socket.destroy();
  else response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
});

const listening = async () => {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
afterEach(() => {
  asked = [];
  for (const url of Object.keys(answers)) delete answers[url];
  server.close();
  server.closeAllConnections();
});

it('has all steps of a job that has finished, with one request after the other from the first event on', async () => {
  const url = await listening();
  answers['/jobs/1/events'] = { events: [{ ...step(0), event: 'started' }, step(1)], next: '1' };
  answers['/jobs/1/events?after=1'] = { events: [step(2), { ...step(3), event: 'succeeded' }], next: '3' };
  await withProgress(url, running!); // begins to read, and waits for nothing
  expect(await withProgress(url, done!)).toEqual({ ...done, steps: known(1, 2) });
  expect(asked).toEqual(['/jobs/1/events', '/jobs/1/events?after=1']);
});

it('keeps what it knows of a job whose server does not answer any more', async () => {
  const url = await listening();
  answers['/jobs/1/events'] = { events: [step(1)], next: '1' };
  expect((await withProgress(url, done!)).steps).toEqual(known(1));
  expect(asked).toEqual(['/jobs/1/events', '/jobs/1/events?after=1']);
});

it('stops to read a job that tells nothing more, and begins again when it is asked again', async () => {
  const url = await listening();
  answers['/jobs/1/events'] = { events: [step(1)], next: '1' };
  answers['/jobs/1/events?after=1'] = { events: [], next: '1' };
  expect((await withProgress(url, done!)).steps).toEqual(known(1));
  expect(asked.length).toBe(16);
  answers['/jobs/1/events?after=1'] = { events: [{ ...step(2), event: 'succeeded' }], next: '2' };
  await withProgress(url, done!);
  expect(asked.length).toBe(18);
});
