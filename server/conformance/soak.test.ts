import { randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadCharts } from '../../scripts/shared/charts.js';
import { campaign, type Sample, type Survey } from './kills.js';
import { ownServers } from './server.js';

// `npm run soak` does the same for half an hour; KILL_SEED tries one again.
const seconds = Number(process.env.SOAK_SECONDS ?? 8);
const kills = Number(process.env.SOAK_KILLS ?? 2);
const seed = Number(process.env.KILL_SEED ?? randomInt(2 ** 31));
const folder = fileURLToPath(new URL('../../build/soak/', import.meta.url));

/** A server needs a while until its code is compiled and what it keeps is full. */
const WARM_S = 60;

ownServers('everything at once', () => {
  test(
    `${seconds} s of kills, drops, uploads, cancels and readers that never read: nothing lost, memory flat (seed ${seed})`,
    async () => {
      const survey = await campaign({ seed, kills, seconds, say: (line) => console.log(line) });
      const { samples, ...counts } = survey;
      console.log(`seed ${seed}: ${JSON.stringify(counts)}`);
      await plot(survey);
      expect(survey.jobs).toBeGreaterThan(0);
      expect(survey.broken).toBeGreaterThan(0);
      for (const life of new Set(samples.map((sample) => sample.life))) {
        const own = samples.filter((sample) => sample.life === life);
        const began = own[0]!.at;
        const warm = own.filter(({ at }) => at - began > WARM_S).map(({ rssMiB }) => rssMiB);
        if (warm.length < 40) continue; // too short to tell
        const half = warm.length >> 1;
        const [early, late] = [median(warm.slice(0, half)), median(warm.slice(half))];
        expect(late, `server ${life} held ${early} MiB, later ${late} MiB`).toBeLessThan(1.15 * early + 8);
      }
    },
    120_000 + 2000 * seconds,
  );
});

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Memory over time, drawn as the course draws: `build/soak/memory.svg`. */
async function plot({ samples, jobs, events, kills }: Survey): Promise<void> {
  const { chart, toSvg, COLORS } = loadCharts();
  const minutes = (at: number) => at / 60;
  const data = samples.map(({ at, life, rssMiB }) => ({ minutes: minutes(at), life, MiB: rssMiB }));
  const firsts = samples.filter(({ life }, n) => n > 0 && life !== samples[n - 1]?.life);
  const x = { field: 'minutes', type: 'quantitative', title: 'time (min)', scale: { nice: false } };
  const y = { field: 'MiB', type: 'quantitative', title: "the server's memory (MiB)" };
  const memory = samples.map(({ rssMiB }) => rssMiB);
  const picture = chart({
    title: `${jobs} jobs and ${events} events through ${kills} kills: nothing lost, at most ${Math.round(Math.max(...memory))} MiB`,
    subtitle:
      'a dashed line is the start of the next server; drops, uploads, cancels and readers that never read besides',
    data,
    numbers: `from ${Math.round(Math.min(...memory))} to ${Math.round(Math.max(...memory))} MiB`,
    body: {
      height: 240,
      layer: [
        {
          data: { values: firsts.map(({ at }: Sample) => ({ minutes: minutes(at) })) },
          mark: { type: 'rule', opacity: 0.65, strokeDash: [5, 3] },
          encoding: { x },
        },
        {
          mark: { type: 'line', color: COLORS['event-stream'], strokeWidth: 1.5 },
          encoding: { x, y, detail: { field: 'life' } },
        },
      ],
    },
  });
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}memory.svg`, await toSvg(picture));
  await writeFile(`${folder}memory.json`, `${JSON.stringify(samples)}\n`);
  console.log('build/soak/memory.svg');
}
