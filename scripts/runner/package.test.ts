import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { project } from '../project.js';
import { run } from '../shared/run.js';

// The packages as npm publishes them, in a folder that has nothing else of this repository but what they depend on.
const HANGS_MS = 10 * 60_000;
let home: string;

beforeAll(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'a stranger ')));
  for (const part of ['kernel', 'runner']) {
    const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', home], {
      cwd: join(project.root, 'scripts', part),
      encoding: 'utf8',
    });
    const folder = join(home, 'node_modules', '@polling-lab', part);
    await mkdir(folder, { recursive: true });
    execFileSync('tar', ['-xzf', join(home, packed.trim().split('\n').at(-1)!), '--strip-components=1', '-C', folder]);
  }
  for (const name of ['tslab', 'zx'])
    await symlink(join(project.root, 'node_modules', name), join(home, 'node_modules', name));
  const { python } = project.environment();
  const settings = `{ notebooks: ['lessons'], metadataKey: 'lessons', env: { GREETING: 'hello' }, environment: () => ({ python: ${JSON.stringify(python)} }) }`;
  await writeFile(join(home, 'notebooks.config.mjs'), `export default ${settings};`);
  await mkdir(join(home, 'lessons'));
}, HANGS_MS);
afterAll(() => rm(home, { recursive: true, force: true }));

async function notebook(name: string, kernel: string, ...cells: [source: string, ...tags: string[]][]): Promise<void> {
  const content = {
    ...{ nbformat: 4, nbformat_minor: 4, metadata: { kernelspec: { name: kernel, display_name: kernel } } },
    cells: cells.map(([source, ...tags]) => ({ cell_type: 'code', source, metadata: { tags }, outputs: [] })),
  };
  await writeFile(join(home, 'lessons', name), JSON.stringify(content, null, 1));
}

const runner = (...args: string[]) =>
  run([process.execPath, join('node_modules', '@polling-lab', 'runner', 'build', 'cli.mjs'), ...args], {
    cwd: home,
    env: {
      XDG_CACHE_HOME: join(home, 'cache'),
      npm_lifecycle_event: undefined,
      GITHUB_ACTIONS: undefined,
      FORCE_COLOR: '0',
    },
  });

it(
  'give the verdicts, the reports and the exit code that CI needs',
  async () => {
    await notebook('fails.ipynb', 'tslab', ['const job: string = "a";'], ['throw new Error("no " + job);']);
    await notebook(
      'takes.ipynb',
      'tslab',
      ['const clients = 1;', 'parameters'],
      ['if (clients !== 7 || process.env.GREETING !== "hello") throw new Error("other values");'],
    );
    await notebook('other.ipynb', 'python3', ['print(1)']);
    const { exitCode, stdout, stderr } = await runner('-p', 'clients=7', '--cell-timeout', '300', '--junit', 'r.xml');
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toContain('notebooks: 1 passed, 1 failed');
    expect(stdout).toContain('1 notebook is in another language and skipped: lessons/other.ipynb (python3)');
    expect(stdout).toContain('again    npx @polling-lab/runner --cell-timeout 300 lessons/fails.ipynb\n');
    const report = await readFile(join(home, 'r.xml'), 'utf8');
    const lines = (await readFile(join(home, 'lessons', 'fails.ipynb'), 'utf8')).split('\n');
    const line = lines.findIndex((text) => text.includes('throw new Error')) + 1;
    expect(report).toContain(`classname="lessons/fails.ipynb" name="cell 2" file="lessons/fails.ipynb" line="${line}"`);
    await readFile(join(home, 'build', 'notebooks', 'fails.ipynb'), 'utf8');
  },
  HANGS_MS,
);

it('refuse a setting that does not exist, and a notebook in another language that is named', async () => {
  await writeFile(join(home, 'wrong.mjs'), 'export default { notebook: [] };');
  const wrong = await runner('--config', 'wrong.mjs', 'lessons');
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('there is no setting "notebook"') });
  const named = await runner('--list', 'lessons/other.ipynb', '--only-tslab');
  expect(named.stdout).toBe('lessons/other.ipynb\n');
  const refused = await runner('lessons/other.ipynb');
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('leave it out: --only-tslab') });
});

it.each(['--out', '--junit'])('run nothing if %s names a path that cannot be written', async (flag) => {
  await notebook('writes.ipynb', 'tslab', ['1']);
  const { exitCode, stdout, stderr } = await runner('lessons/writes.ipynb', flag, 'notebooks.config.mjs/in-a-file');
  const said = expect.stringMatching(`notebooks.config.mjs.* Name another (folder|file): ${flag} (FOLDER|FILE)\\.`);
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 2, stdout: '', stderr: said });
});
