import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventSource } from 'eventsource';
import nodeFetch from 'node-fetch';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fromEnvironment } from './connect.js';
import { type OwnServer, startServer } from './own-server.js';

const TOKEN = 'a-class-of-learners_0123';
let own: OwnServer;
beforeAll(async () => {
  own = await startServer({ 'access-token': TOKEN });
}, 60_000);
afterAll(() => own.kill());

it('sends the access token with every request to the server, whichever client sends it', async () => {
  const statuses = [fetch(`${own.url}/jobs`), nodeFetch(`${own.url}/jobs`)].map(async (asked) => (await asked).status);
  expect(await Promise.all(statuses)).toEqual([200, 200]);
  for (const options of [{}, { agent: false }]) {
    const [answer] = (await once(get(`${own.url}/jobs`, options), 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(200);
  }
  const source = new EventSource(`${own.url}/events`);
  await new Promise((resolve, reject) => {
    source.addEventListener('position', resolve);
    source.onerror = reject;
  });
  source.close();
});

it('goes by where a request is sent, and by the names of its headers: not by Host, nor by what a header says', async () => {
  const headers = { Host: 'localhost', 'Access-Control-Request-Headers': 'authorization' };
  expect((await fetch(`${own.url}/jobs`, { headers })).status).toBe(200);
  const statusOf = async (options: RequestOptions) => {
    const [answer] = (await once(get(options), 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  const { port, host } = new URL(own.url);
  expect(await statusOf({ host: '127.0.0.1', port, path: '/jobs', headers })).toBe(200);
  // By an origin that has no token, to a Host that has one.
  expect(await statusOf({ host: 'localhost', port, path: '/jobs', headers: { Host: host } })).toBe(401);
});

it('sends it to no other server, and leaves a header that is there', async () => {
  const seen: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  for (const send of [fetch, nodeFetch] as (typeof fetch)[]) {
    await (await send(url)).text();
    expect((await send(`${own.url}/jobs`, { headers: { Authorization: 'Bearer of-somebody-else' } })).status).toBe(401);
  }
  other.close();
  expect(seen).toEqual([undefined, undefined]);
});

it('says what is wrong where the token is missing, or another one', async () => {
  // Under another name of the host, to which this process sends no token.
  const url = own.url.replace('127.0.0.1', 'localhost');
  await expect(fromEnvironment({ POLLING_LAB_URL: url })).rejects.toThrow('POLLING_LAB_ACCESS_TOKEN is not set');
  const wrong = { POLLING_LAB_URL: url, POLLING_LAB_ACCESS_TOKEN: 'of-somebody-else' };
  await expect(fromEnvironment(wrong)).rejects.toThrow('does not take the access token in POLLING_LAB_ACCESS_TOKEN');
  const right = { POLLING_LAB_URL: url, POLLING_LAB_ACCESS_TOKEN: TOKEN };
  expect(await fromEnvironment(right)).toMatchObject({ url, origin: 'environment' });
});
