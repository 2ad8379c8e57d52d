import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRandom } from '../test/random.js';

// Whichever process of the runner is killed, and whenever: no kernel, no server and no process that a cell started is left.
// SOAK=1: many more kills.
const KILLS = process.env.SOAK ? 60 : 3;
const checkout = resolve(import.meta.dirname, '..', '..');
const MARK = 'POLLING_LAB_TEST_MARK';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kill-test-'));
  const sources = [
    "import { spawn } from 'node:child_process';",
    "spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();",
    'await new Promise(() => {});',
  ];
  const cells = sources.map((source) => ({ cell_type: 'code', source, metadata: {}, outputs: [] }));
  const metadata = { kernelspec: { name: 'tslab', display_name: 'TypeScript' } };
  const notebook = JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata, cells });
  for (const name of ['a', 'b', 'c']) await writeFile(join(folder, `${name}.ipynb`), notebook);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Process ids and commands of what carries the mark in its environment. */
function marked(mark: string): { pid: number; command: string }[] {
  return execFileSync('ps', ['axeww', '-o', 'pid=,command='], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
    .split('\n')
    .filter((line) => line.includes(`${MARK}=${mark}`))
    .map((line) => {
      const [, pid, command] = /^\s*(\d+)\s+(.*)$/.exec(line)!;
      return { pid: Number(pid), command: command!.slice(0, 150) };
    });
}

async function gone(mark: string, withinMs: number) {
  for (const end = performance.now() + withinMs; performance.now() < end; await sleep(100)) {
    if (marked(mark).length === 0) return [];
  }
  return marked(mark);
}

const ended = (child: ChildProcess) => new Promise((done) => child.once('close', done));

const victims = {
  'the runner': (pid: number, mark: string) => [runnerOf(mark) ?? pid],
  'npm, which started it': (pid: number) => [pid],
  'its Python process': (pid: number, mark: string) => [pythonOf(mark) ?? pid],
  'the runner and its Python process at once': (pid: number, mark: string) => {
    const both = [runnerOf(mark), pythonOf(mark)].flatMap((one) => one ?? []);
    return both.length > 0 ? both : [pid];
  },
};
const runnerOf = (mark: string) =>
  marked(mark).find(({ command }) => command.includes('node scripts/run.mjs notebooks'))?.pid;
const pythonOf = (mark: string) => marked(mark).find(({ command }) => command.includes('execute.py --mark'))?.pid;

const seed = Number(process.env.SEED ?? randomBytes(4).readUInt32LE());
const next = seededRandom(seed);
const trials = Array.from({ length: KILLS }, (_, index) => {
  const who = Object.keys(victims)[index % 4] as keyof typeof victims;
  return {
    who,
    atMs: Math.round(200 + next() * 7000),
    signal: index % 5 === 4 ? 'SIGTERM' : 'SIGKILL',
  } as const;
});

it.each(trials)(
  `leaves nothing when $who gets $signal after $atMs ms (seed ${seed})`,
  async (trial) => {
    const mark = randomBytes(8).toString('hex');
    const runner = spawn('npm', ['run', '--silent', 'notebooks', '--', '--out', join(folder, 'out'), folder], {
      cwd: checkout,
      env: { ...process.env, [MARK]: mark },
      stdio: 'ignore',
    });
    try {
      const over = ended(runner);
      await sleep(trial.atMs);
      for (const pid of victims[trial.who](runner.pid!, mark)) process.kill(pid, trial.signal);
      await over;
      expect(await gone(mark, 30_000)).toEqual([]);
    } finally {
      for (const { pid } of marked(mark)) process.kill(pid, 'SIGKILL');
    }
  },
  120_000,
);
