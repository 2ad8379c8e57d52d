import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSettings } from '../../server/settings.js';
import { findEngine } from '../shared/find-program.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { startOnPort } from '../shared/ports.mjs';
import { Problem } from '../shared/problem.mjs';
import { environmentOf } from './cluster.js';
import { type EngineProcess, startEngine, startOn } from './engine.js';

const ENGINE = 'redis://127.0.0.1:6379/0';

test("a cluster takes the shell's settings only where it is the user's own", () => {
  const shell = { MAX_JOBS: '5', DATA_DIR: '/elsewhere', ENGINE: 'redis://elsewhere:6379/0' };
  const asked = (own: boolean) => readSettings([], { ...shell, ...environmentOf(ENGINE, own) })!;
  expect(asked(false).asked).toEqual(new Set(['engine']));
  expect(asked(true).asked).toEqual(new Set(['engine', 'maxJobs', 'data']));
  for (const own of [true, false]) expect(asked(own).engine).toBe(ENGINE);
});

test('a program whose port was taken first gets another one; on a port that was asked for, it fails', async () => {
  const tried: number[] = [];
  const start = async (port: number) => {
    tried.push(port);
    if (tried.length === 1) throw new Problem('It ended.', { details: 'bind: Address already in use' });
    return port;
  };
  expect(await startOnPort(start)).toBe(tried[1]);
  tried.length = 0;
  await expect(startOnPort(start, 20_001)).rejects.toThrow('It ended.');
  expect(tried).toEqual([20_001]);
  const broken = () => Promise.reject(new Problem('It ended.', { details: 'out of memory' }));
  await expect(startOnPort(broken)).rejects.toThrow('It ended.');
});

test('an engine that answers on the port, and is not the one that was started, is not taken for it', async ({
  skip,
}) => {
  const program = findEngine(pathsOf(checkout));
  if (!program) return skip('no engine was found');
  const folder = mkdtempSync(join(tmpdir(), 'polling-lab-engines-'));
  const engines: EngineProcess[] = [];
  try {
    const other = await startEngine(program, join(folder, 'other'));
    engines.push(other);
    const late = startOn(other.port, program, join(folder, 'late')).then((engine) => engines.push(engine));
    await expect(late).rejects.toMatchObject({ details: expect.stringMatching(/address already in use/i) });
  } finally {
    for (const engine of engines) await engine.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
