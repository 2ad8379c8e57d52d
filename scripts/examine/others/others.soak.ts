import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepare } from '../../brokers/jars.js';
import { start } from '../../shared/child.mjs';
import { findProgram } from '../../shared/find-program.mjs';
import { lastingPort, tryPort } from '../../shared/ports.mjs';
import { run } from '../../shared/run.js';
import { need } from '../../test/need.js';
import { seededRandom } from '../../test/random.js';
import { type ExamineOptions, examineUrl } from '../examine-url.js';
import { textReport } from '../report.js';

// Servers that are not ours, from their packages, configured well and badly: what was planted is found, and nothing of the
// highest severity is found where all is well. Installs them into a temporary folder, with npm, pip, Maven and Go.

const NPM = [
  'express@5.3.0',
  'better-sse@0.16.1',
  'compression@1.8.1',
  'fastify@5.12.8',
  '@fastify/sse@0.6.0',
  'hono@4.13.19',
  '@hono/node-server@2.1.9',
  'json-server@0.17.4',
  '@modelcontextprotocol/sdk@1.32.2',
];
const PIP = ['sse-starlette==3.7.0', 'uvicorn', 'flask==3.1.3', 'django==5.2.19'];
const SPRING = {
  ...{ name: 'Spring', artifacts: ['org.springframework.boot:spring-boot-starter-web:4.0.7'] },
  mainClass: join(import.meta.dirname, 'Server.java'),
};
const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';

const here = import.meta.dirname;
let folder: string;
const stops: (() => Promise<unknown>)[] = [];
const urls = new Map<string, string>();
const missing = new Map<string, string>();

/** Starts a program that prints `NAME URL` for so many servers. */
async function launch(command: string[], count: number): Promise<void> {
  const [program = '', ...args] = command;
  const child = start(program, args, { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  stops.push(() => child.stop());
  let told = 0;
  for await (const line of createInterface({ input: child.process.stdout! })) {
    const [name = '', url = ''] = line.split(' ');
    urls.set(name, url);
    told += 1;
    if (told === count) return;
  }
  throw new Error(`${program} ended:\n${child.said()}`);
}

async function installed(name: string, command: string[]): Promise<boolean> {
  const { exitCode, stdall } = await run(command, { cwd: folder });
  if (exitCode !== 0) missing.set(name, stdall);
  return exitCode === 0;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'examine-others-'));
  await writeFile(join(folder, 'package.json'), '{"private":true}');
  await writeFile(join(folder, 'data.json'), '{"state":"running"}');
  if (await installed('npm', ['npm', 'install', '--silent', '--no-audit', '--no-fund', ...NPM])) {
    await launch([process.execPath, join(here, 'servers.mjs')], 5);
  }
  const python = join(folder, 'venv', 'bin', 'python');
  if (
    (await installed('python', ['python3', '-m', 'venv', join(folder, 'venv')])) &&
    (await installed('python', [python, '-m', 'pip', 'install', '--quiet', ...PIP]))
  ) {
    await launch([python, join(here, 'servers.py')], 4);
  }
  if (await installed('go', ['go', 'build', '-o', join(folder, 'server'), join(here, 'server.go')])) {
    await launch([join(folder, 'server')], 1);
  }
  try {
    const { java, jars } = await prepare(SPRING, folder, () => {});
    await launch([java, '-cp', join(jars, '*'), SPRING.mainClass], 1);
  } catch (error) {
    missing.set('spring', (error as Error).message);
  }
  if (findProgram('etcd')) await startEtcd();
  else missing.set('etcd', 'etcd (Debian: apt-get install etcd-server)');
  if (existsSync(NCHAN) && urls.has('go')) await startNginx();
  else missing.set('nginx', 'nginx with nchan, and Go');
}, 10 * 60_000);

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  await rm(folder, { recursive: true, force: true });
});

async function startNginx(): Promise<void> {
  // A stream that says one thing and falls silent, for a proxy whose time-out is short.
  const quiet = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: once\n\n'),
  );
  await new Promise<void>((resolve) => quiet.listen(0, '127.0.0.1', resolve));
  stops.push(async () => {
    quiet.closeAllConnections();
    quiet.close();
  });
  const [port, secure] = [await tryPort(), await tryPort()];
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
  await writeFile(join(folder, 'certificate.pem'), cert);
  await writeFile(join(folder, 'key.pem'), key);
  const words: Record<string, string> = {
    ...{ MODULE: NCHAN, FOLDER: folder, USER: process.getuid?.() === 0 ? 'user root;' : '', PORT: String(port) },
    SECURE: String(secure),
    ...{ UPSTREAM: urls.get('go') ?? '', QUIET: `http://127.0.0.1:${(quiet.address() as AddressInfo).port}` },
  };
  const template = await readFile(join(here, 'nginx.conf'), 'utf8');
  const file = join(folder, 'nginx.conf');
  await writeFile(
    file,
    template.replace(/@([A-Z]+)@/g, (_, word: string) => words[word] ?? ''),
  );
  await chmod(folder, 0o755);
  const child = start('nginx', ['-c', file, '-p', folder], { cwd: folder });
  stops.push(() => child.stop());
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/publish`).catch(() => null))) await new Promise((resolve) => setTimeout(resolve, 50));
  urls.set('nginx', url);
  urls.set('nginx-http2', `https://127.0.0.1:${secure}`);
  let number = 0;
  const publishing = setInterval(() => {
    number += 1;
    void fetch(`${url}/publish`, { method: 'POST', body: `${number} ${new Date().toISOString()}` }).catch(() => {});
  }, 330);
  stops.push(async () => clearInterval(publishing));
}

/** Starts etcd, and puts a key three times a second. */
async function startEtcd(): Promise<void> {
  const [clients, peers] = [await lastingPort(), await lastingPort()];
  const [url, peerUrl] = [`http://127.0.0.1:${clients}`, `http://127.0.0.1:${peers}`];
  const child = start(
    'etcd',
    [
      ...['--data-dir', join(folder, 'etcd'), '--initial-cluster', `default=${peerUrl}`],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ],
    { cwd: folder },
  );
  stops.push(() => child.stop());
  let ended = false;
  void child.ended.then(() => {
    ended = true;
  });
  const put = (value: string) =>
    fetch(`${url}/v3/kv/put`, { method: 'POST', body: JSON.stringify({ key: KEY, value: btoa(value) }) });
  while (!(await put('first').catch(() => null))?.ok) {
    if (ended) throw new Error(`etcd ended:\n${child.said()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  urls.set('etcd', url);
  const putting = setInterval(() => void put(new Date().toISOString()).catch(() => {}), 330);
  stops.push(async () => clearInterval(putting));
}
/** The key that is put and watched, as etcd's JSON has it: in Base64. */
const KEY = btoa('tick');
const watch = { method: 'POST', body: JSON.stringify({ create_request: { key: KEY } }) };

const initialize = {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: JSON.stringify({
    ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'examine', version: '1' } },
  }),
};

/** Server, path, what is (or is not) wrong with it, and what is found: rules that are serious or warn, and notes that are named. */
const cases: [
  name: string,
  path: string,
  about: string,
  found: readonly string[],
  options?: Partial<ExamineOptions>,
][] = [
  ['express', '/resumes', 'Express with better-sse, resumes', []],
  ['express', '/default', 'Express with better-sse, no history', ['serious stream-lost-on-resume']],
  ['express', '/compressed', 'Express with compression, never flushed', ['serious stream-compressed']],
  ['express', '/session', 'Express, redirects to a login page', ['serious answer-login-page']],
  ['express', '/json', 'Express, JSON', []],
  ['fastify', '/resumes', 'Fastify with @fastify/sse, resumes', []],
  ['fastify', '/forgets', 'Fastify with @fastify/sse, no history', ['serious stream-lost-on-resume']],
  ['hono', '/resumes', 'Hono, resumes', []],
  ['hono', '/no-ids', 'Hono, no ids', ['warning stream-no-ids']],
  ['sse-starlette', '/resumes', 'sse-starlette, resumes', []],
  ['sse-starlette', '/repeats', 'sse-starlette, repeats three events', ['serious stream-repeated-on-resume']],
  ['flask', '/resumes', 'Flask, resumes', []],
  ['flask', '/no-ids', 'Flask, no ids, cacheable', ['warning stream-caching', 'warning stream-no-ids']],
  ['django', '/resumes', 'Django, resumes', []],
  ['django', '/html', 'Django, type forgotten', ['serious stream-type', 'warning stream-caching']],
  ['go', '/resumes', "Go's net/http, flushes", []],
  ['go', '/unflushed', "Go's net/http, does not flush", ['serious stream-buffered', 'warning stream-head-late']],
  // Spring compresses these streams, and Tomcat flushes what it compresses.
  ['spring', '/resumes', 'Spring MVC, resumes', []],
  ['spring', '/forgets', 'Spring MVC, no history', ['serious stream-lost-on-resume']],
  [
    'spring',
    '/no-ids',
    "Spring MVC, no ids, Spring's own headers",
    ['warning stream-caching', 'warning stream-no-ids'],
  ],
  ['spring', '/times-out', 'Spring MVC, SseEmitter(3000L)', ['note stream-ends']],
  [
    ...(['spring', '/unflushed', 'Spring MVC, StreamingResponseBody, not flushed'] as const),
    // "produces" does not set the type of a StreamingResponseBody.
    ['serious stream-buffered', 'serious stream-type', 'warning stream-head-late'],
  ],
  ['etcd', '/v3/watch', "etcd's watch, JSON that does not end", ['note answer-unending'], watch],
  ['nginx', '/good', 'nginx before Go, proxy_buffering off', []],
  ['nginx', '/buffers', 'nginx before Go, its defaults', ['serious stream-buffered', 'warning stream-head-late']],
  ['nginx', '/drops-header', 'nginx before Go, drops Last-Event-ID', ['serious stream-lost-on-resume']],
  ['nginx', '/times-out', 'nginx, proxy_read_timeout of 2 s', ['serious stream-cut', 'warning stream-caching']],
  ['nginx', '/down', 'nginx, upstream is down', ['serious answer-unavailable']],
  ['nginx-http2', '/good', 'nginx before Go, HTTP/2, proxy_buffering off', [], { insecure: true }],
  [
    ...(['nginx-http2', '/buffers', 'nginx before Go, HTTP/2, its defaults'] as const),
    ...([['serious stream-buffered', 'warning stream-head-late'], { insecure: true }] as const),
  ],
  // nchan allows every origin, with credentials, and says nothing to caches.
  ['nginx', '/nchan', 'nginx with nchan', ['warning stream-caching', 'warning stream-cors']],
  ['mcp', '/', "MCP's SDK, initialize", [], initialize],
  ['json-server', '/posts', 'json-server', []],
  ['python-http', '/data.json', "Python's http.server, a file that is polled", ['warning poll-cached']],
];

for (const [name, path, about, expected, options = {}] of cases) {
  test.concurrent(about, async (context) => {
    const url = urls.get(name);
    if (!url) return need(context, false, `${name}: ${[...missing].flat().join(' ').slice(-300)}`);
    const examination = await examineUrl({ url: url + path, forMs: 12_000, random: seededRandom(3), ...options });
    const found = examination.findings.filter(
      ({ severity, rule }) => severity !== 'note' || expected.includes(`note ${rule}`),
    );
    process.stdout.write(
      `| ${about} | ${found.map(({ rule, severity }) => `${severity} ${rule}`).join(', ') || 'nothing'} |\n`,
    );
    const list = found.map(({ rule, severity }) => `${severity} ${rule}`).sort();
    expect(list, textReport(examination)).toEqual([...expected].sort());
  });
}
