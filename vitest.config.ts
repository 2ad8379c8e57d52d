import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // What is long from the first test to the last is left to the soak.
    include: [`{server,scripts,notebooks}/**/*.${process.env.SOAK ? '{test,soak}' : 'test'}.ts`],
    setupFiles: process.env.SEED ? ['scripts/soak/seed.ts'] : [],
    // Three files at a time, also on two cores: most of a test here is waiting.
    maxWorkers: 3,
    minWorkers: 1,
    // A loaded machine is slow, not wrong: tests wait for events, and this ends only what hangs.
    testTimeout: process.env.SOAK ? 30 * 60_000 : 60_000,
    hookTimeout: 60_000,
    allowOnly: !process.env.CI,
  },
});
