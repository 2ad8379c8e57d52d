import { expect, it } from 'vitest';
import { parseNotebook } from './notebook.js';
import { order } from './run.js';

/** A notebook with so many characters of text, and what it says of its own time. */
function notebook(name: string, characters: number, runMinutes?: number) {
  const cells = [{ cell_type: 'markdown', metadata: {}, source: 'x'.repeat(characters) }];
  const metadata = { kernelspec: { name: 'tslab' }, key: { runMinutes } };
  return parseNotebook(`/course/${name}`, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }), 'key');
}

const ordered = (notebooks: ReturnType<typeof notebook>[], known: Record<string, number> = {}, repeat = 1) =>
  order(notebooks, { repeat, known: new Map(Object.entries(known)), project: { root: '/course' } });
const names = (jobs: ReturnType<typeof order>) => jobs.map(({ name }) => name);

it('the longest notebook starts first: by its last run, or else by what its metadata says', () => {
  const notebooks = [notebook('a', 900, 0.5), notebook('b', 1, 2), notebook('c', 1, 0.5), notebook('d', 500, 0.5)];
  expect(names(ordered(notebooks))).toEqual(['b', 'a', 'd', 'c']);
  expect(names(ordered(notebooks, { c: 180_000, b: 100_000 }))).toEqual(['c', 'b', 'a', 'd']);
});

it('a notebook that never ran and says nothing of its time starts first, the longest text before the others', () => {
  const notebooks = [notebook('a', 1, 60), notebook('b', 1), notebook('c', 2), notebook('d', 9)];
  expect(names(ordered(notebooks, { d: 3_600_001 }))).toEqual(['c', 'b', 'd', 'a']);
});

it('all run once before one runs again', () => {
  const jobs = ordered([notebook('a', 1, 1), notebook('b', 1, 2)], {}, 2);
  expect(jobs.map(({ name, repeat, id }) => [name, repeat, id])).toEqual([
    ['b', 1, 1],
    ['a', 1, 2],
    ['b', 2, 3],
    ['a', 2, 4],
  ]);
});
