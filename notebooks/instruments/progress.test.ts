import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { remember } from './guesses.js';
import { exercisesOf, predictionSkill, progress } from './progress.js';

let memory: string;
beforeAll(async () => {
  memory = await mkdtemp(join(tmpdir(), 'polling-lab-test-'));
});
afterAll(() => rm(memory, { recursive: true }));

it('counts what was solved, notebook by notebook, and nothing that is no exercise any more', async () => {
  const folder = join(memory, '03-short-polling');
  await mkdir(folder);
  await writeFile(join(folder, '1-conditional.txt'), '2026-01-01T00:00:00Z');
  await writeFile(join(folder, 'renamed-since.txt'), '2026-01-01T00:00:00Z');
  const course = await progress(memory);
  expect(course.map(({ file }) => file)).toEqual(course.map(({ file }) => file).sort());
  expect(course.find(({ file }) => file === '03-short-polling.ipynb')).toMatchObject({
    title: 'Short polling',
    solved: 1,
  });
  expect(course.filter(({ solved }) => solved > 0)).toHaveLength(1);
});

it('knows as many exercises as the notebooks have, by ids that begin with the notebook', async () => {
  const notebooks = join(__dirname, '..');
  const names = (await readdir(join(notebooks, 'exercises'))).filter((name) => /^\d\d-.*(?<!\.test)\.ts$/.test(name));
  for (const name of names) {
    const { cells } = JSON.parse(await readFile(join(notebooks, name.replace('.ts', '.ipynb')), 'utf8'));
    const checks = cells.filter((cell: { metadata: { tags?: string[] } }) => cell.metadata.tags?.includes('check'));
    const ids = await exercisesOf(name);
    expect(ids, name).toHaveLength(checks.length);
    expect(ids.filter((id) => !id.startsWith(`${name.replace('.ts', '')}/`))).toEqual([]);
  }
});

it('recalls nothing where nothing is remembered', async () => {
  const course = await progress(null, null);
  expect(course.every(({ solved, exercises }) => solved === 0 && exercises > 0)).toBe(true);
});

it('counts the predictions that were close, notebook by notebook', async () => {
  for (const [what, predicted] of [
    ['polls', 100],
    ['late', 111],
    ['bytes', 90],
  ] as const)
    remember({ notebook: '03-short-polling', what, predicted, measured: 100 }, memory);
  await writeFile(join(memory, '03-short-polling', 'torn.json'), '{"what":');
  const course = await progress(null, memory);
  const { guesses } = course.find(({ file }) => file === '03-short-polling.ipynb')!;
  expect(guesses.map(({ what }) => what).sort()).toEqual(['bytes', 'late', 'polls']);
  expect(course.filter((one) => one.guesses.length > 0)).toHaveLength(1);
  expect(predictionSkill(guesses)).toBe('2 of 3 predictions were within 10 % of the measurement.');
  expect(predictionSkill([])).toBe("You haven't compared a prediction yet.");
});
