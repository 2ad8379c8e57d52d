import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { campaign } from './kills.js';
import { ownServers } from './server.js';

// `npm run soak` does the same with more kills, and prints its seeds; KILL_SEED tries one again.
const kills = Number(process.env.SOAK_KILLS ?? 6);
const seed = Number(process.env.KILL_SEED ?? randomInt(2 ** 31));

ownServers('kill -9 at random moments', () => {
  test(
    `${kills} kills: every job ends once, every client sees every event once and in order`,
    async () => {
      const survey = await campaign({ seed, kills, say: (line) => console.log(line) });
      console.log(`seed ${seed}: ${JSON.stringify(survey)}`);
      expect(survey.jobs).toBeGreaterThan(kills);
      expect(survey.broken).toBeGreaterThan(kills);
    },
    120_000 + kills * 10_000,
  );
});
