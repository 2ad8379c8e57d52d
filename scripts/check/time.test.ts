import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { INotebookContent } from '../shared/notebook-file.js';
import { readingTime } from '../shared/reading-time.js';
import { checkTime } from './time.js';

const words = (count: number, tags: string[] = []) => ({
  cell_type: 'markdown',
  source: 'word '.repeat(count),
  metadata: { tags },
});
const code = (lines: number, metadata = {}) => ({ cell_type: 'code', source: 'x;\n'.repeat(lines), metadata });
const notebook = (cells: object[], runMinutes?: number) => ({
  ...{ nbformat: 4, nbformat_minor: 5 },
  metadata: { 'polling-lab': { runMinutes } },
  cells: cells as INotebookContent['cells'],
});

describe('the time of a notebook', () => {
  const minutes = (...cells: object[]) => readingTime(notebook(cells)).minutes;

  test('is words at 200 a minute, lines at 2.5 s, and the run, rounded up', () => {
    expect(minutes(words(400))).toBe(2);
    expect(minutes(words(401))).toBe(3);
    expect(minutes(code(24))).toBe(1);
    expect(minutes(words(100), code(12))).toBe(1);
    expect(readingTime(notebook([words(100), code(12)], 0.5)).minutes).toBe(2);
  });

  test('has exercises apart, five minutes each', () => {
    const exercise = (kind: string[]) => words(1000, ['exercise', ...kind]);
    expect(readingTime(notebook([words(200), exercise([]), exercise(['check']), exercise(['check'])]))).toEqual({
      minutes: 1,
      exerciseMinutes: 10,
    });
  });

  test('leaves out folded code, empty lines, links between notebooks, and where a link leads', () => {
    expect(minutes(code(240, { jupyter: { source_hidden: true } }))).toBe(0);
    expect(minutes({ ...code(0), source: '\n'.repeat(240) })).toBe(0);
    expect(minutes(words(2000, ['navigation']))).toBe(0);
    const link = { ...words(0), source: '[a](https://a.example/ "so many more words") — | --: | '.repeat(200) };
    expect(minutes(link)).toBe(1);
  });
});

describe('the check of the time', () => {
  let root: string;
  const write = (name: string, cells: object[], runMinutes?: number) =>
    writeFileSync(join(root, 'notebooks', name), JSON.stringify(notebook(cells, runMinutes)));
  const ran = (durations: object) =>
    writeFileSync(join(root, '.polling-lab', 'notebook-durations.json'), JSON.stringify(durations));
  const runMinutes = (name: string) =>
    JSON.parse(readFileSync(join(root, 'notebooks', name), 'utf8')).metadata['polling-lab'].runMinutes;
  let told: string[];
  const check = (fix = false) => checkTime(root, fix, (line) => told.push(line));

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'polling-lab-time-'));
    told = [];
    for (const folder of ['notebooks', '.polling-lab']) mkdirSync(join(root, folder));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test('fails above 15 minutes for the first notebook, 30 for another, 180 for the main course', async () => {
    write('00-start.ipynb', [words(3000)]);
    for (let n = 1; n < 6; n++) write(`0${n}-lesson.ipynb`, [words(6000)]);
    write('06-choosing.ipynb', [words(3000)]);
    write('07-aside.ipynb', [words(6000)]);
    expect(await check()).toEqual([]);
    write('00-start.ipynb', [words(3001)]);
    write('05-lesson.ipynb', [words(6001)]);
    expect(await check()).toEqual([
      expect.stringMatching(/^00-start.ipynb takes 16 minutes; the limit is 15/),
      expect.stringMatching(/^05-lesson.ipynb takes 31 minutes; the limit is 30/),
      expect.stringMatching(/^the main course takes 182 minutes; the limit is 180/),
    ]);
  });

  test('takes the run from the last measurement, if none is known or that is more than two minutes shorter', async () => {
    write('00-start.ipynb', [words(1)]);
    ran({ 'notebooks/00-start.ipynb': 31_000 });
    expect(await check(true)).toEqual([]);
    expect(runMinutes('00-start.ipynb')).toBe(1);
    write('00-start.ipynb', [words(1)], 3.5);
    ran({ 'notebooks/00-start.ipynb': 89_000 });
    expect(await check(true)).toEqual([]);
    expect(runMinutes('00-start.ipynb')).toBe(3.5);
    ran({ 'notebooks/00-start.ipynb': 5_000 });
    expect(await check()).toEqual([]);
    await check(true);
    expect(runMinutes('00-start.ipynb')).toBe(0.5);
    expect(told).toEqual([]);
  });

  test('tells of a longer run, and neither fails for it nor writes it: the machine may have been slow', async () => {
    write('00-start.ipynb', [words(1)], 1);
    ran({ 'notebooks/00-start.ipynb': 179_000 });
    expect(await check()).toEqual([]);
    expect(told).toEqual([]);
    ran({ 'notebooks/00-start.ipynb': 3_600_000 });
    for (const fix of [false, true]) expect(await check(fix)).toEqual([]);
    expect(told).toHaveLength(2);
    expect(told[0]).toContain('its last run took 60 minutes, and "runMinutes" in its metadata says 1.');
    expect(runMinutes('00-start.ipynb')).toBe(1);
  });
});
