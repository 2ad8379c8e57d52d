import { join } from 'node:path';
import { notebooks, type Run, runNode, type TestStep, vitest } from '../test/steps.js';
import { sabotage } from './sabotage.js';

const HOUR_MS = 60 * 60_000;

/** The parts of `npm run soak`, in the order in which they run: each a few lines, its work stands with what it tests. */
export function soakParts(seed: number): TestStep[] {
  // The tests take the long way where SOAK is set, and what is random from the seed.
  const env = { SOAK: '1', SEED: String(seed), KILL_SEED: String(seed), FUZZ_SEED: String(seed) };
  const tests = (name: string, about: string, files: string[], more: Partial<Run> = {}): TestStep => ({
    name,
    about,
    run: (signal) =>
      vitest({ name: `soak-${name}`, args: files, limitMs: HOUR_MS, ...more, env: { ...env, ...more.env } }, signal),
  });
  return [
    tests('cursors', 'two thousand histories of readers that join, lag, drop and resume', ['server/log/log.test.ts']),
    tests('kills', 'three hundred kill -9 of a server at work', ['server/conformance/kills.test.ts'], {
      env: { SOAK_KILLS: '300' },
    }),
    tests('fuzz', 'a hundred thousand requests made at random', ['server/conformance/fuzz.test.ts'], {
      env: { SOAK_REQUESTS: '100000' },
    }),
    {
      name: 'schemathesis',
      about: 'ten minutes of requests made from the OpenAPI description',
      run: async (signal) => {
        const args = ['--import', 'tsx', join(import.meta.dirname, 'schemathesis.ts')];
        const code = await runNode([...args, '--seconds', '600', '--seed', String(seed)], { limitMs: HOUR_MS }, signal);
        return { passed: Number(code === 0), failed: Number(code !== 0), skipped: [] };
      },
    },
    tests('crowd', '9,000 streams and as many long polls at once', ['server/conformance/crowd.test.ts'], {
      env: { SOAK_CLIENTS: '9000' },
    }),
    tests(
      'endurance',
      'half an hour of everything at once, and the memory of it',
      ['server/conformance/soak.test.ts'],
      {
        env: { SOAK_SECONDS: process.env.SOAK_SECONDS ?? '1800', SOAK_KILLS: '4' },
      },
    ),
    tests('kernel', "every verdict of the runner, fifty ends of a kernel, and stock tslab's defects", [
      'scripts/kernel/kernel.test.ts',
      'scripts/runner/verdicts.test.ts',
    ]),
    tests('jupyterlab', 'every notebook in JupyterLab and a browser, as a person goes about it', [
      'scripts/start/jupyterlab.test.ts',
    ]),
    tests('elsewhere', 'every notebook under plain Jupyter, papermill and a stock tslab; a JupyterHub of two users', [
      'scripts/elsewhere',
    ]),
    tests('runner', 'sixty kills of a running runner, its npm and its Python', ['scripts/runner/kill.test.ts']),
    tests('handouts', 'the handouts of the whole course, every page of them looked at', [
      'scripts/handouts/handouts.test.ts',
    ]),
    {
      name: 'repeats',
      about: 'every notebook twenty times, with all cores busy',
      run: (signal) =>
        notebooks({ name: 'soak-repeats', args: ['--repeat', '20', '--stress'], limitMs: 3 * HOUR_MS }, signal),
    },
    {
      name: 'sabotage',
      about: 'the server made wrong in one place at a time: the right notebook goes red',
      run: sabotage,
    },
  ];
}
