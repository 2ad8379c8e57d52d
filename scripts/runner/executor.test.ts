import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { Executor, environment } from './executor.js';

afterEach(() => vi.unstubAllEnvs());

it("starts whatever is set for a person's own Python, and leaves nothing of the run", async () => {
  vi.stubEnv('PYTHONHOME', '/no/such/python');
  vi.stubEnv('PYTHONPATH', import.meta.dirname);
  const { python } = environment(resolve(import.meta.dirname, '..', '..'));
  const folder = await mkdtemp(join(tmpdir(), 'executor-'));
  const executor = await Executor.start(python, 'run-of-executor-test', folder, 1);
  await executor.close();
  expect(existsSync(folder)).toBe(false);
});
