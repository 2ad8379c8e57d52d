import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import nodeFetch from 'node-fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { experiment } from './experiment.js';
import { offerRemedy, remedyFor } from './remedy.js';

/** Cuts the connection, at `/head` after the head of its answer and a part of the body, else before. */
async function cuttingServer(): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    if (request.url !== '/head') return void request.socket.destroy();
    response.write('a part', () => request.socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const clients: Record<string, (url: string) => Promise<unknown>> = {
  fetch: async (url) => (await fetch(url)).text(),
  'node-fetch': async (url) => (await nodeFetch(url)).text(),
  'node:http': async (url) => {
    const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
    return text(response);
  },
};

let course: Awaited<ReturnType<typeof cuttingServer>>;
let other: typeof course;
let refusing: string;
let refusingOther: string;
beforeAll(async () => {
  course = await cuttingServer();
  other = await cuttingServer();
  const gone = [await cuttingServer(), await cuttingServer()];
  [refusing, refusingOther] = gone.map(({ url }) => url) as [string, string];
  for (const { server } of gone) server.close();
  offerRemedy([course.url, refusing], 'Start it again.');
});
afterAll(() => {
  course.server.close();
  other.server.close();
});

const failureOf = (asked: Promise<unknown>): Promise<Error> =>
  asked.then(
    () => expect.unreachable('expected the request to fail'),
    (error) => error,
  );

describe.each(Object.entries(clients))('%s', (_name, ask) => {
  it('gets the remedy where the course has its server', async () => {
    expect(remedyFor(await failureOf(ask(`${refusing}/jobs`)))).toBe(
      `The course's server does not answer at ${refusing}. Start it again.`,
    );
    const closed = `The course's server at ${course.url} closed the connection before its answer was complete. Has it ended? Start it again.`;
    expect(remedyFor(await failureOf(ask(`${course.url}/none`)))).toBe(closed);
    expect(remedyFor(await failureOf(ask(`${course.url}/head`)))).toBe(closed);
  });

  it('gets none elsewhere', async () => {
    for (const url of [refusingOther, `${other.url}/none`, `${other.url}/head`])
      expect(remedyFor(await failureOf(ask(url)))).toBeUndefined();
  });
});

it('finds the error behind another', async () => {
  const cause = await failureOf(clients.fetch!(`${course.url}/none`));
  expect(remedyFor(new Error('It did not work.', { cause: new AggregateError([cause]) }))).toMatch(/Start it again/);
});

it('leaves alone what is no broken connection, also at that address', async () => {
  expect(remedyFor(new Error(`Expected 200 of ${course.url}, got 404.`))).toBeUndefined();
  const aborted = nodeFetch(course.url, { signal: AbortSignal.abort() });
  expect(remedyFor(await failureOf(aborted))).toBeUndefined();
});

it('is said once, where the recorded client says it', async () => {
  const error = await failureOf(experiment('gone', nodeFetch).fetch(`${refusing}/jobs`));
  expect(error.message).toBe(`No server answers at ${refusing}. Start it again.`);
  expect(remedyFor(error)).toBeUndefined();
});
