import { notebooks, type Run, type TestStep, vitest } from '../test/steps.js';
import { sabotage } from './sabotage.js';

const HOUR_MS = 60 * 60_000;

/** The parts of `npm run soak`, in the order in which they run: each a few lines, its work stands with what it tests. */
export function soakParts(seed: number): TestStep[] {
  // The tests take the long way where SOAK is set, and what is random from the seed.
  const env = { SOAK: '1', SEED: String(seed), KILL_SEED: String(seed) };
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
    tests('kernel', "every verdict of the runner, fifty ends of a kernel, and stock tslab's defects", [
      'scripts/kernel/kernel.test.ts',
      'scripts/runner/verdicts.test.ts',
    ]),
    tests('runner', 'sixty kills of a running runner, its npm and its Python', ['scripts/runner/kill.test.ts']),
    {
      name: 'repeats',
      about: 'every notebook twenty times, with all cores busy',
      run: (signal) =>
        notebooks({ name: 'soak-repeats', args: ['--repeat', '20', '--stress'], limitMs: 3 * HOUR_MS }, signal),
    },
    {
      name: 'sabotage',
      about: 'the server made wrong, one line at a time: the right notebook goes red',
      run: sabotage,
    },
  ];
}
