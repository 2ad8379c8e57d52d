import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNotebook } from '../runner/notebook.js';
import { checkout } from '../shared/paths.mjs';
import { mutations } from './mutations.js';
import { makeCopy, mutated, survives } from './sabotage.js';

const { signal } = new AbortController();

describe('every mutation', () => {
  test.each(mutations)('fits: $name', async (mutation) => {
    const source = readFileSync(join(checkout, mutation.file), 'utf8');
    expect(mutation.text).not.toContain('\n');
    expect(mutated(source, mutation)).not.toBe(source);
    const { cells } = await readNotebook(join(checkout, 'notebooks', `${mutation.notebook}.ipynb`));
    expect(cells.map(({ id }) => id)).toEqual(expect.arrayContaining(mutation.cells));
  });

  test('has a name of its own', () => {
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length);
  });
});

describe('the assertions bite', () => {
  let copy: Awaited<ReturnType<typeof makeCopy>>;
  beforeAll(async () => {
    copy = await makeCopy(signal);
  });
  afterAll(() => copy?.remove());

  // Those that are noticed soon; `npm run soak` tries them all.
  const sample = [
    'the ledger counts a request twice',
    'a long poll is answered at the first progress',
    'an event is dropped',
  ];
  test.each(mutations.filter(({ name }) => sample.includes(name)))(
    'where $name, the notebook goes red',
    async (mutation) => {
      expect(await survives(copy.root, mutation, signal)).toBeNull();
    },
    180_000,
  );

  test('and one that claims nothing stays green', async () => {
    const cells = [{ cell_type: 'code', source: '1 + 1', metadata: {}, outputs: [], execution_count: null }];
    const notebook = { nbformat: 4, nbformat_minor: 4, metadata: { kernelspec: { name: 'tslab' } }, cells };
    writeFileSync(join(copy.root, 'notebooks', 'claims-nothing.ipynb'), JSON.stringify(notebook));
    const mutation = { ...mutations[0]!, notebook: 'claims-nothing' };
    expect(await survives(copy.root, mutation, signal)).toBe('survived: the notebook stays green');
  }, 180_000);
});
