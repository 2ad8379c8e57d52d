import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Paths } from '../shared/paths.mjs';
import { namedServer, runningServer } from './course-server.js';

const accessToken = 'a-class-of-learners_0123';
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const other = createServer((request, response) => answer(request, response));
let folder: string;
let url: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'polling-lab-course-'));
  await once(other.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
});
afterAll(() => {
  other.close();
  rmSync(folder, { recursive: true });
});

test('a program that has the port of a server that is gone is not taken for it, and gets no access token', async () => {
  const seen: (string | undefined)[] = [];
  answer = ({ headers }, response) => {
    seen.push(headers.authorization);
    response.end(JSON.stringify({ status: 'ok', tokenHash: 'x', proof: 'x' }));
  };
  const state = join(folder, 'state.json');
  writeFileSync(state, JSON.stringify({ url, token: 'x', accessToken }));
  expect(await runningServer({ state } as Paths)).toBeNull();
  expect(seen).toEqual([undefined]);
});

test('POLLING_LAB_URL may have a path; without the access token it is not used, which one line says', async () => {
  const said: string[] = [];
  const named = (env: NodeJS.ProcessEnv) => namedServer(env, (line) => said.push(line));
  answer = ({ url: path }, response) => response.end(path === '/lab/healthz' ? '{ "tokenHash": "x" }' : '{}');
  const POLLING_LAB_URL = `${url}/lab/`;
  const POLLING_LAB_ACCESS_TOKEN = accessToken;
  expect(await named({ POLLING_LAB_URL, POLLING_LAB_ACCESS_TOKEN })).toEqual({ url: `${url}/lab`, accessToken });
  expect(said).toEqual([]);
  expect(await named({ POLLING_LAB_URL })).toBeNull();
  expect(said).toEqual([expect.stringMatching(/^POLLING_LAB_URL is not used.*POLLING_LAB_ACCESS_TOKEN is not set/)]);
});

test('a server of others that answers is none of the course, whatever it says', async () => {
  for (const status of [200, 401]) {
    answer = (_, response) => response.writeHead(status).end('{}');
    const env = { POLLING_LAB_URL: url, POLLING_LAB_ACCESS_TOKEN: accessToken };
    await expect(namedServer(env, () => {})).rejects.toThrow('no server of this course answers there');
  }
});
