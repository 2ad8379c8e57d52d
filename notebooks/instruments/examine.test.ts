import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { examine } from './examine.js';

afterEach(() => void vi.unstubAllEnvs());

it('examines a recording, and a path begins at the checkout wherever the kernel was started', async () => {
  vi.stubEnv('INIT_CWD', '/');
  const { summary, findings, timeline } = await examine('notebooks/media/dashboard.har', { off: 'recording-streams' });
  expect(summary).toMatch(/^A recording by WebInspector/);
  expect(findings[0]).toMatchObject({ severity: 'serious', rule: 'recording-waited', notebook: '07' });
  expect(findings.map(({ rule }) => rule)).not.toContain('recording-streams');
  expect(timeline).toHaveLength(27);
  // The command's own names for this: the instrument imports nothing from it.
  const names = ['blockedMs', 'body', 'endedAt', 'events', 'method', 'startedAt', 'status', 'technique', 'url'];
  expect(Object.keys(timeline![0]!).sort()).toEqual(names);
});

it('examines a URL, and says why it cannot examine one', async () => {
  const server = createServer((_request, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  expect((await examine(url, { quick: true })).findings[0]).toMatchObject({ rule: 'answer-unavailable' });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(examine(url)).rejects.toThrow(/could not be reached: .*ECONNREFUSED/);
}, 60_000);
