import { describe, expect, it } from 'vitest';
import { type Notebook, parseNotebook } from './notebook.js';
import { parametrize, parseParameter } from './parameters.js';

function notebook(path: string, source: string, tags = ['parameters']): Notebook {
  const cells = [
    { cell_type: 'markdown', source: 'words', metadata: { tags } },
    { cell_type: 'code', source, metadata: { tags } },
  ];
  const metadata = { kernelspec: { name: 'tslab' } };
  return parseNotebook(path, JSON.stringify({ nbformat: 4, metadata, cells }), 'key');
}

const declaring = `const clients = 10; // as many as a classroom
let name = 'clip';
const slow: boolean = false, pace: 'slow' | 'fast' = 'slow';
const waits = [1, 2.5];
const names: string[] = [];
const derived = clients * 2;`;

const set = (...given: string[]) =>
  parametrize([notebook('a.ipynb', declaring)], new Map(given.map(parseParameter))).get('a.ipynb')?.[1];

describe('parametrize', () => {
  it('puts values in place of those declared and leaves the rest of the cell as it is', () => {
    expect(set('clients=100', 'name=film', 'slow=true', 'pace=fast', 'waits=[5]', 'names=["a"]')).toBe(
      `const clients = 100; // as many as a classroom
let name = "film";
const slow: boolean = true, pace: 'slow' | 'fast' = "fast";
const waits = [5];
const names: string[] = ["a"];
const derived = clients * 2;`,
    );
  });

  it('takes what looks like a number as text where text is declared', () => {
    expect(set('name=2')).toContain('let name = "2";');
    expect(set('name=null')).toContain('let name = "null";');
  });

  it.each([
    ['clients=many', 'Parameter clients of a.ipynb is a number, got "many".'],
    ['clients="5"', 'Parameter clients of a.ipynb is a number, got "5".'],
    ['slow=1', 'Parameter slow of a.ipynb is a boolean, got 1.'],
    ['pace=medium', `Parameter pace of a.ipynb is one of 'slow' | 'fast', got "medium".`],
    ['waits=["a"]', 'Parameter waits of a.ipynb is a list such as [1, 2.5], got ["a"].'],
    ['names=5', 'Parameter names of a.ipynb is a list (string[]), got 5.'],
  ])('refuses %s', (given, message) => {
    expect(() => set(given)).toThrow(message);
  });

  it('lists what is known when a name is not, and what has no literal value is not known', () => {
    expect(() => set('client=5')).toThrow(
      /^Unknown parameter client\. Known: clients \(a number\), name \(a string\), slow .*names \(a list \(string\[\]\)\)\.$/,
    );
    expect(() => set('derived=5')).toThrow(/Unknown parameter derived/);
    expect(() => parametrize([notebook('a.ipynb', 'const a = 1;', [])], new Map([['a', 2]]))).toThrow(
      /None of the notebooks has a cell tagged "parameters"/,
    );
  });

  it('leaves alone the notebooks that do not have the name', () => {
    const both = [notebook('a.ipynb', 'const a = 1;'), notebook('b.ipynb', 'const b = 1;')];
    expect([...parametrize(both, new Map([['b', 2]])).keys()]).toEqual(['b.ipynb']);
  });

  it.each(['clients', '=5', '1a=5', 'a b=5'])('refuses the form %s', (text) => {
    expect(() => parseParameter(text)).toThrow(/-p takes NAME=VALUE/);
  });
});
