import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { project } from '../project.js';
import { readNotebook } from '../runner/notebook.js';
import { checkout } from '../shared/paths.mjs';
import { editAt, parseSource } from './anchors.js';
import { changed, engineMutations } from './engine-sabotage.js';
import { mutations } from './mutations.js';
import { makeCopy, sourcesOf, survives } from './sabotage.js';

const { signal } = new AbortController();

describe('every mutation', () => {
  const sources = sourcesOf(checkout);

  test.each(mutations)('fits: $name', async ({ inside, pattern, make, notebook, cells }) => {
    const { file, start, end, text } = editAt(sources, inside, pattern, make);
    const source = sources.find(({ fileName }) => fileName === file)!.text;
    const changed = source.slice(0, start) + text + source.slice(end);
    expect(changed).not.toBe(source);
    expect(syntaxErrors(changed)).toEqual([]);
    const { cells: have } = await readNotebook(join(checkout, 'notebooks', `${notebook}.ipynb`), project.metadataKey);
    expect(have.map(({ id }) => id)).toEqual(expect.arrayContaining(cells));
  });
});

test.each(engineMutations)('what is done to the engine fits: $name', (mutation) => {
  const { path, text } = changed(checkout, mutation);
  expect(syntaxErrors(text), path).toEqual([]);
});

const syntaxErrors = (text: string) =>
  ts.transpileModule(text, { reportDiagnostics: true }).diagnostics?.map(({ messageText }) => messageText);

describe('an anchor', () => {
  const text = `class Log { add(a, b) { if (a) return b; this.send(a, { b, c: 1 }); this.send(b, {}); } }`;
  const sources = [parseSource('log.ts', text)];
  const edited = (inside: string, pattern: string, make: string) => {
    const { start, end, text: put } = editAt(sources, inside, pattern, make);
    return text.slice(0, start) + put + text.slice(end);
  };

  test.each([
    ['an expression', 'Log', 'this.send(b, $MORE)', '$MORE', 'this.send(b, {})', '{}'],
    ['a statement', 'Log.add', 'if (a) $THEN;', '$THEN', 'if (a) return b;', 'return b;'],
    ['what is left of a list', 'add', '{ $$$REST, c: 1 }', '{ $$$REST }', '{ b, c: 1 }', '{ b }'],
    ['a member of an object', 'add', 'c: $C', 'c: -$C', 'c: 1', 'c: -1'],
    ['spaces and breaks that are others', 'add', 'this . send( b,\n{} );', '', 'this.send(b, {});', ''],
  ])('fits %s', (_, inside, pattern, make, before, after) => {
    expect(edited(inside, pattern, make)).toBe(text.replace(before, () => after));
  });

  test.each([
    [
      'more than one place',
      'Log',
      'this.send($$$)',
      /^expected once inside Log, found 2 times \(log.ts, log.ts\): this.send/,
    ],
    ['no place', 'Log', 'this.send(c, {})', /found 0 times \(nowhere\)/],
    ['one name for two texts', 'Log', '$A.send($A, {})', /found 0 times/],
    ['a name that is not around it', 'Jobs', 'this.send(b, {})', /expected once inside Jobs, found 0/],
  ])('with %s is an error that names it', (_, inside, pattern, message) => {
    expect(() => editAt(sources, inside, pattern, '')).toThrow(message);
  });
});

describe('the assertions bite', () => {
  let copy: Awaited<ReturnType<typeof makeCopy>>;
  beforeAll(async () => {
    copy = await makeCopy(signal);
  });
  afterAll(() => copy?.remove());

  // One that is noticed soon; `npm run soak` tries them all.
  test.each(mutations.filter(({ name }) => name === 'the ledger counts a request twice'))(
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
