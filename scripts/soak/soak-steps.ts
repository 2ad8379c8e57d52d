import { join } from 'node:path';
import type { soakParts } from '../commands.mjs';
import { typescript } from '../shared/launch-server.js';
import { type Count, notebooks, type Run, runNode, type Step, vitest } from '../test/test-steps.js';
import { clusterConformance } from './cluster-conformance.js';
import { engineSabotage } from './engine-sabotage.js';
import { sabotage } from './sabotage.js';

const HOUR_MS = 60 * 60_000;

/** The parts of `npm run soak`: each a few lines, since its work stands with what it tests. */
export function soakSteps(seed: number): Record<keyof typeof soakParts, Step> {
  /** Tests take the long way where SOAK is set; what is random comes from the seed. */
  const tests =
    (name: keyof typeof soakParts, files: string[], env: Run['env'] = {}): Step =>
    (signal) => {
      const seeds = { SEED: String(seed), KILL_SEED: String(seed), FUZZ_SEED: String(seed) };
      return vitest(
        { name: `soak-${name}`, args: files, limitMs: HOUR_MS, env: { SOAK: '1', ...seeds, ...env } },
        signal,
      );
    };
  const { SOAK_SECONDS = '1800' } = process.env;
  return {
    cursors: tests('cursors', ['server/core/log/log.test.ts']),
    kills: tests('kills', ['server/conformance/kills.test.ts'], { SOAK_KILLS: '300' }),
    fuzz: tests('fuzz', ['server/conformance/fuzz.test.ts'], { SOAK_REQUESTS: '100000' }),
    schemathesis: async (signal) => {
      const [, ...args] = typescript(join(import.meta.dirname, 'schemathesis.ts'), [
        '--seconds',
        '600',
        '--seed',
        String(seed),
      ]);
      const code = await runNode(args, { limitMs: HOUR_MS }, signal);
      return { passed: Number(code === 0), failed: Number(code !== 0), skipped: [] };
    },
    crowd: tests('crowd', ['server/conformance/crowd.test.ts'], { SOAK_CLIENTS: '9000' }),
    endings: tests('endings', ['server/conformance/leaks.test.ts'], { SOAK_ENDINGS: '3000' }),
    bounds: tests('bounds', ['server/conformance/bounds.test.ts', 'server/conformance/stored-bounds.test.ts'], {
      SOAK_RESULTS: '60000',
    }),
    endurance: tests('endurance', ['server/conformance/soak.test.ts'], { SOAK_SECONDS, SOAK_KILLS: '4' }),
    cluster: async (signal) => {
      const faults = tests('cluster', ['server/conformance/cluster.test.ts', 'server/edge/redis'], {
        SOAK_FAULTS: '100',
      });
      const parts = [faults, (signal: AbortSignal) => clusterConformance(HOUR_MS, signal), engineSabotage];
      const counts: Count[] = [];
      for (const part of parts) counts.push(await part(signal));
      return sum(counts);
    },
    kernel: tests('kernel', ['scripts/kernel/kernel.test.ts', 'scripts/runner/verdicts.test.ts']),
    jupyterlab: tests('jupyterlab', [
      ...['scripts/start/jupyterlab.test.ts', 'scripts/start/own-tab.soak.ts', 'scripts/start/start.test.ts'],
    ]),
    elsewhere: tests('elsewhere', ['scripts/elsewhere']),
    examine: tests('examine', ['scripts/examine/others', 'scripts/examine/proxy']),
    runner: tests('runner', ['scripts/runner/kill.test.ts']),
    handouts: tests('handouts', ['scripts/handouts/handouts.test.ts']),
    repeats: (signal) =>
      notebooks({ name: 'soak-repeats', args: ['--repeat', '20', '--stress'], limitMs: 3 * HOUR_MS }, signal),
    sabotage,
  };
}

const sum = (counts: Count[]): Count => ({
  passed: counts.reduce((all, { passed }) => all + passed, 0),
  failed: counts.reduce((all, { failed }) => all + failed, 0),
  skipped: counts.flatMap(({ skipped }) => skipped),
});
