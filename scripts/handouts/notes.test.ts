import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { discover } from '../runner/discover.js';
import { checkout } from '../shared/paths.mjs';
import { readChapter } from './chapter.js';
import { readChecks } from './exercise-checks.js';
import { parseNotes, readNotes } from './notes.js';

const notebooks = await discover(['notebooks'], checkout);

it.each(notebooks.map((path) => [basename(path), path]))('finds every note and every check of %s', async (_, path) => {
  const chapter = await readChapter(path);
  await readNotes(chapter); // throws for a cell that is not there
  const checks = await readChecks(chapter);
  expect(Object.keys(checks)).toEqual([...chapter.checkCells.keys()]);
  for (const check of Object.values(checks)) expect(check).toMatch(/^(async )?check\(|^check: /);
});

it('reads a note a heading', () => {
  const text = '# On this\n\nNot a note.\n\n## one\n\nFirst.\n\nMore.\n\n## two\n\nOther.\n\n## one\n\nSecond.\n';
  expect(parseNotes(text)).toEqual({ one: ['First.\n\nMore.', 'Second.'], two: ['Other.'] });
});

it('refuses a note on a cell that is not there', async () => {
  const path = join(checkout, 'notebooks', '03-short-polling.ipynb');
  const chapter = { ...(await readChapter(path)), cellIds: ['title'] };
  await expect(readNotes(chapter)).rejects.toThrow(/has a note on the cell "predict-polls"/);
});
