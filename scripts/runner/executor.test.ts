import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { project } from '../project.js';
import { type Event, Executor } from './executor.js';

const { python } = project.environment();
const temporary = () => mkdtemp(join(tmpdir(), 'executor-'));

afterEach(() => vi.unstubAllEnvs());

it("starts whatever is set for a person's own Python, and leaves nothing of the run", async () => {
  vi.stubEnv('PYTHONHOME', '/no/such/python');
  vi.stubEnv('PYTHONPATH', import.meta.dirname);
  const folder = await temporary();
  const executor = await Executor.start(python, 'EXECUTOR_TEST=run', folder, 1);
  await executor.close();
  expect(existsSync(folder)).toBe(false);
});

it('starts a kernel again whose port was taken in between', async () => {
  const home = await temporary();
  const executor = await Executor.start(python, 'EXECUTOR_TEST=run', await temporary(), 1);
  try {
    const launcher = join(project.root, 'scripts', 'kernel', 'launch.cjs');
    const script = 'if mkdir "$0" 2>/dev/null; then echo EADDRINUSE >&2; exit 1; else exec "$@"; fi';
    const argv = ['sh', '-c', script, join(home, 'was-here'), process.execPath, launcher, '{connection_file}'];
    const spec = { argv, display_name: 'TypeScript', language: 'typescript', interrupt_mode: 'message' };
    await mkdir(join(home, 'kernels', 'tslab'), { recursive: true });
    await writeFile(join(home, 'kernels', 'tslab', 'kernel.json'), JSON.stringify(spec));
    const order = {
      ...{
        id: 1,
        path: 'a.ipynb',
        out: join(home, 'a.ipynb'),
        cwd: home,
        mark: 'EXECUTOR_TEST=run.1',
        env: {},
        probe: null,
        cells: {},
      },
      ...{ kernels: join(home, 'kernels'), kernel: 'tslab', cellSeconds: 60, notebookSeconds: 60, sources: {} },
      text: JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata: {}, cells: [] }),
    };
    const events: Event['event'][] = [];
    const done = await executor.execute(order, ({ event }) => events.push(event));
    expect(done).toMatchObject({ event: 'done', failure: null });
    expect(events.filter((event) => event === 'kernel')).toHaveLength(2);
  } finally {
    await executor.close();
    await rm(home, { recursive: true, force: true });
  }
});
