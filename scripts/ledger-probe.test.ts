import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { project } from './project.js';

it("asks the notebook's own server, whatever proxy the network has", async () => {
  const rows = [
    { method: 'GET', route: '/events', endedAt: null },
    { method: 'GET', route: '/jobs', endedAt: '2026-01-01T00:00:00.000Z' },
  ];
  const server = createServer((_, response) => response.end(JSON.stringify({ requests: rows }))).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = { ...process.env, PYTHONPATH: import.meta.dirname, http_proxy: 'http://127.0.0.1:9', no_proxy: '' };
    const ask = `import ledger_probe; print(ledger_probe.open_requests("${url}"))`;
    const { python } = project.environment();
    const { stdout } = await promisify(execFile)(python, ['-B', '-c', ask], { env });
    expect(stdout.trim()).toBe("['GET /events']");
  } finally {
    server.close();
  }
});
