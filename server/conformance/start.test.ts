import { createHash, createHmac } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lastingPort } from '../../scripts/shared/ports.mjs';
import { Client } from './client.js';
import { TIMESTAMP } from './expectations.js';
import {
  LocalServer,
  ownServers,
  type StartOptions,
  startServer,
  target,
  temporaryFolder,
  withServer,
} from './server.js';
import { within } from './within.js';

const lab = target();

test('GET /healthz answers 200 with a JSON status', async () => {
  const answer = await lab.get('/healthz');
  expect(answer.status).toBe(200);
  expect(answer.type).toBe('application/json');
  expect(answer.json().status).toBe('ok');
});

test('GET /metrics is Prometheus text', async () => {
  const answer = await lab.get('/metrics');
  expect(answer.status).toBe(200);
  expect(answer.type).toBe('text/plain');
  const lines = answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    expect(line).toMatch(/^[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? ([+-]?Inf|NaN|[-+]?[0-9.]+(e[-+]?\d+)?)( -?\d+)?$/i);
  }
});

test('GET /openapi.json describes every path of the interface', async () => {
  const answer = await lab.get('/openapi.json');
  expect(answer.status).toBe(200);
  expect(answer.type).toBe('application/json');
  const { openapi, paths } = answer.json<{ openapi: string; paths: Record<string, object> }>();
  expect(openapi).toMatch(/^3\./);
  const methods = Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [path.replace(/\{\w+\}/g, '{id}'), item]),
  );
  for (const [path, method] of [
    ['/jobs', 'get'],
    ['/jobs', 'post'],
    ['/jobs/{id}', 'get'],
    ['/jobs/{id}', 'delete'],
    ['/jobs/{id}/result', 'get'],
    ['/jobs/{id}/events', 'get'],
    ['/jobs/{id}/progress', 'post'],
    ['/jobs/{id}/finish', 'post'],
    ['/events', 'get'],
    ['/traffic', 'get'],
    ['/metrics', 'get'],
    ['/healthz', 'get'],
  ] as const) {
    expect(methods[path], path).toHaveProperty(method);
  }
});

test("GET / in a browser is the server's own page", async () => {
  const answer = await lab.get('/', { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
  expect(answer.status).toBe(200);
  expect(answer.type).toBe('text/html');
  expect(answer.text).toMatch(/<!doctype html>/i);
});

/** Starts a server that is expected not to come up. */
async function refused(flags: string[], options: StartOptions = {}) {
  const data = await temporaryFolder();
  const server = new LocalServer(flags, data, options);
  try {
    const exit = await within(server.exited, `exit with ${flags.join(' ')}`, 80_000);
    return { ...exit, stdout: server.stdout, stderr: server.stderr };
  } finally {
    server.kill('SIGKILL');
    await server.exited;
    await rm(data, { recursive: true, force: true });
  }
}

async function occupy(port: number): Promise<net.Server> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

ownServers('the server as a process', () => {
  test('when it is ready it prints one line on stdout and answers GET /healthz; all else goes to stderr', async () => {
    await withServer([], async (server, client) => {
      expect(server.stdout).toMatch(/^ready http:\/\/127\.0\.0\.1:\d+\n$/);
      expect((await client.get('/healthz')).status).toBe(200);
      await client.get('/nowhere');
      await client.finished();
      expect(server.stdout).toMatch(/^ready http:\/\/127\.0\.0\.1:\d+\n$/);
    });
  });

  test('it listens on 127.0.0.1 only', async () => {
    await withServer([], async (server, client) => {
      const { httpsUrl } = (await client.get('/healthz')).json<{ httpsUrl: string }>();
      const ports = [server.url, httpsUrl].map((url) => Number(new URL(url).port));
      for (const [host, port] of ['127.0.0.2', '::1'].flatMap((host) => ports.map((port) => [host, port] as const))) {
        const outcome = await new Promise<string>((resolve) => {
          const socket = net.connect({ host, port });
          socket.once('connect', () => {
            socket.destroy();
            resolve('connected');
          });
          socket.once('error', () => resolve('refused'));
        });
        expect(outcome, host).toBe('refused');
      }
    });
  });

  test('the state file tells url, httpsUrl, pid and token, healthz a hash of the token, and the file goes with the server', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'state.json');
    try {
      await withServer(['--state', file], async (server, client) => {
        const state = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
        expect(state.url).toBe(server.url);
        expect(state.httpsUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
        expect(state.pid).toBe(server.pid);
        expect(state.token).toMatch(/.{16,}/);
        const { tokenHash, httpsUrl } = (await client.get('/healthz')).json();
        expect(httpsUrl).toBe(state.httpsUrl);
        expect(tokenHash).toBe(createHash('sha256').update(String(state.token)).digest('hex'));
        const challenge = '0123456789abcdef'.repeat(2);
        const { proof } = (await client.get(`/healthz?challenge=${challenge}`)).json();
        expect(proof).toBe(createHmac('sha256', String(state.token)).update(challenge).digest('hex'));
        // The token is for those who may read the checkout, so nobody else may read the file.
        expect((await stat(file)).mode & 0o077).toBe(0);
      });
      await expect(stat(file)).rejects.toThrow('ENOENT');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('settings come from flags, then the environment, then defaults', async () => {
    const env = { RETRY_MS: '2345', HEARTBEAT_MS: '60' };
    const retryOf = async (client: Client) => {
      const stream = await client.stream('/events');
      await stream.opened();
      stream.close();
      return stream.retry;
    };
    await withServer([], async (_, client) => expect(await retryOf(client)).toBe(1000));
    await withServer([], async (_, client) => expect(await retryOf(client)).toBe(2345), { env });
    await withServer(['--retry-ms', '3456'], async (_, client) => expect(await retryOf(client)).toBe(3456), { env });
  });

  test('PORT and DATA_DIR are settings too', async () => {
    const data = await temporaryFolder();
    const port = await lastingPort();
    try {
      const env = { PORT: String(port), HTTPS_PORT: '0', DATA_DIR: data };
      const server = await startServer([], { bare: true, data, env });
      expect(server.url).toBe(`http://127.0.0.1:${port}`);
      const job = await new Client(server.url).finished();
      await server.stop();
      await withServer([], async (_, client) => expect(await client.job(job.jobId)).toEqual(job), {
        data,
      });
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });

  test('a port that was asked for and is taken is an error that names it', async () => {
    const taken = await occupy(0);
    const { port } = taken.address() as net.AddressInfo;
    try {
      const end = await refused(['--port', String(port)]);
      expect(end.code).toBeGreaterThan(0);
      expect(end.stdout).toBe('');
      expect(end.stderr).toContain(String(port));
      expect(end.stderr).not.toMatch(/\n\s+at /);
    } finally {
      taken.close();
    }
  });

  test('a port that is only a default and taken gives way to a free one, told in the output', async () => {
    // Whoever has the port has it: us, or somebody before us.
    const taken = await occupy(4321).catch(() => undefined);
    const data = await temporaryFolder();
    try {
      const server = await startServer(['--data', data], { bare: true, data });
      expect(server.url).not.toBe('http://127.0.0.1:4321');
      expect(server.stderr).toContain('4321');
      await server.stop();
    } finally {
      taken?.close();
      await rm(data, { recursive: true, force: true });
    }
  });

  test.each([
    { flags: ['--port', 'http'], named: 'port' },
    { flags: ['--port', '65536'], named: 'port' },
    { flags: ['--https-port', '70000'], named: 'https-port' },
    { flags: ['--max-streams', '0'], named: 'max-streams' },
    { flags: ['--heartbeat-ms', '-1'], named: 'heartbeat' },
    { flags: ['--retry-ms', 'soon'], named: 'retry' },
    { flags: ['--max-jobs', '1.5'], named: 'max-jobs' },
    { flags: ['--no-such-flag'], named: 'no-such-flag' },
    { flags: ['stray'], named: 'stray' },
  ])('a bad setting is one plain error that names it: $flags', async ({ flags, named }) => {
    const end = await refused(flags);
    expect(end.code).toBeGreaterThan(0);
    expect(end.stdout).toBe('');
    expect(end.stderr).toContain(named);
    expect(end.stderr).not.toMatch(/\n\s+at /);
  });

  test('a bad setting in the environment is an error that names it', async () => {
    const end = await refused([], { env: { MAX_JOBS: 'many' } });
    expect(end.code).toBeGreaterThan(0);
    expect(end.stderr).toContain('MAX_JOBS');
  });

  test('every limit is a setting, shown with its default by --help', async () => {
    const end = await refused(['--help'], { bare: true });
    expect(end.code).toBe(0);
    const help = end.stdout + end.stderr;
    for (const flag of [
      'port',
      'https-port',
      'data',
      'heartbeat-ms',
      'retry-ms',
      'max-upload-bytes',
      'max-jobs',
      'max-waiters',
      'max-streams',
      'keep-jobs',
      'max-events',
      'max-rows',
      'max-experiments',
      'allow-host',
      'allow-origin',
    ]) {
      expect(help).toContain(`--${flag}`);
    }
    for (const value of ['4321', '4322', '15000', '1000']) expect(help).toContain(value);
  });

  const httpsUrlOf = async (client: Client) => (await client.get('/healthz')).json<{ httpsUrl: string }>().httpsUrl;

  test('port 0 is a free port that no outgoing connection is given, so that it is free for a restart', async () => {
    await withServer([], async (server, client) => {
      const ports = [server.url, await httpsUrlOf(client)].map((url) => Number(new URL(url).port));
      for (const port of ports) expect(port > 1024 && port < 32_768, String(port)).toBe(true);
    });
  });

  test('HTTPS_PORT is a setting too, and with --port 0 it is any free port', async () => {
    const port = await lastingPort();
    await withServer([], async (_, client) => expect(await httpsUrlOf(client)).toBe(`https://127.0.0.1:${port}`), {
      env: { HTTPS_PORT: String(port) },
    });
    await withServer([], async ({ stderr }, client) => {
      expect(await httpsUrlOf(client)).not.toMatch(/:4322$/);
      expect(stderr).toBe('');
    });
  });

  test('an HTTPS port that was asked for and is taken is an error that names it', async () => {
    const taken = await occupy(0);
    const { port } = taken.address() as net.AddressInfo;
    try {
      const end = await refused(['--https-port', String(port)]);
      expect(end.code).toBeGreaterThan(0);
      expect(end.stdout).toBe('');
      expect(end.stderr).toContain(`${port} is taken`);
      expect(end.stderr).toContain('--https-port');
    } finally {
      taken.close();
    }
  });

  test('one that is only a default and taken gives way, told in the output', async () => {
    const taken = await occupy(4322).catch(() => undefined);
    const [port, data] = [await lastingPort(), await temporaryFolder()];
    try {
      const server = await startServer(['--port', String(port), '--data', data], { bare: true, data });
      expect(await httpsUrlOf(new Client(server.url))).toMatch(/^https:\/\/127\.0\.0\.1:(?!4322$)\d+$/);
      expect(server.stderr).toContain('4322');
      await server.stop();
    } finally {
      taken?.close();
      await rm(data, { recursive: true, force: true });
    }
  });

  test('what ended stays as it was told when the server is started again', async () => {
    const data = await temporaryFolder();
    try {
      let before: unknown;
      let id = '';
      await withServer(
        [],
        async (_, client) => {
          const job = await client.finished();
          id = job.jobId;
          before = [job, await client.consume(`/jobs/${id}/events`)];
          expect(job.createdAt).toMatch(TIMESTAMP);
        },
        { data },
      );
      await withServer(
        [],
        async (_, client) => {
          expect([await client.job(id), await client.consume(`/jobs/${id}/events`)]).toEqual(before);
        },
        { data },
      );
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
});
