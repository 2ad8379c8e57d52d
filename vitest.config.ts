import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take about 40 seconds or more. They begin first: one that began last would run alone at the end. */
const LONG = [
  'scripts/kernel/kernel.test.ts',
  'scripts/handouts/handouts.test.ts',
  'scripts/start/jupyterlab.test.ts',
  'scripts/elsewhere/elsewhere.test.ts',
  'server/edge/pages/hostile.test.ts',
  'notebooks/exercises/04-long-polling.test.ts',
  'scripts/runner/verdicts.test.ts',
  'scripts/start/start.test.ts',
  'server/conformance/endings.test.ts',
  'server/conformance/data-folder.test.ts',
  'server/edge/pages/monitor.test.ts',
  'scripts/soak/sabotage.test.ts',
  'notebooks/instruments/browser.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONG.some((name) => moduleId.endsWith(name));
    const others = await super.sort(files.filter((file) => !isLong(file)));
    return [...files.filter(isLong), ...others];
  }
}

export default defineConfig({
  test: {
    // What is long from the first test to the last is left to the soak.
    include: [`{server,scripts,notebooks}/**/*.${process.env.SOAK ? '{test,soak}' : 'test'}.ts`],
    sequence: { sequencer: LongestFirst },
    globalSetup: 'scripts/test/bundle-server.ts',
    setupFiles: ['scripts/test/end-with-vitest.ts', ...(process.env.SEED ? ['scripts/soak/seed.ts'] : [])],
    // Six files at a time, also on two cores: most of a test here is waiting.
    maxWorkers: 6,
    minWorkers: 1,
    // A loaded machine is slow, not wrong: tests wait for events, and this ends only what hangs.
    testTimeout: process.env.SOAK ? 30 * 60_000 : 60_000,
    hookTimeout: 60_000,
    allowOnly: !process.env.CI,
  },
});
