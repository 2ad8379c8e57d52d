import { describe, expect, it } from 'vitest';
import { Problem } from '../shared/problem.mjs';
import { parseNotebook } from './notebook.js';

const notebook = (cells: unknown[], metadata: object = { kernelspec: { name: 'tslab' } }) =>
  JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells });

const code = (source: string | string[], metadata: object = {}) => ({
  id: 'a',
  cell_type: 'code',
  source,
  metadata,
});

describe('parseNotebook', () => {
  it('joins source lines and takes tags', () => {
    const { cells } = parseNotebook(
      'x.ipynb',
      notebook([{ cell_type: 'markdown', source: '# A' }, code(['a\n', 'b'], { tags: ['skip-execution'] })]),
      'key',
    );
    expect(cells).toEqual([
      { index: 0, id: null, isCode: false, source: '# A', tags: [], annotations: {} },
      { index: 1, id: 'a', isCode: true, source: 'a\nb', tags: ['skip-execution'], annotations: {} },
    ]);
  });

  it.each([
    ['its name', { kernelspec: { name: 'jslab', language: 'javascript' } }, 'jslab'],
    ['the language of its kernelspec', { kernelspec: { name: 'typescript', language: 'typescript' } }, 'tslab'],
    ['that of another runtime', { kernelspec: { name: 'deno', language: 'typescript' } }, 'tslab'],
    ['the language that its cells ran in', { kernelspec: {}, language_info: { name: 'javascript' } }, 'jslab'],
  ])('finds the kernel by %s', (_, metadata, kernel) => {
    expect(parseNotebook('x.ipynb', notebook([], metadata), 'key')).toMatchObject({ kernel });
  });

  it('takes the kernel that it is told', () => {
    expect(parseNotebook('x.ipynb', notebook([], {}), 'key', 'jslab')).toMatchObject({
      kernel: 'jslab',
      namedKernel: null,
    });
  });

  it.each([
    ['not JSON', '{', /is no notebook: it is not JSON/],
    ['an old format', '{"nbformat": 3, "worksheets": []}', /expected nbformat 4 with cells, got nbformat 3/],
    ['null', 'null', /expected nbformat 4/],
    ['another kernel', notebook([], { kernelspec: { name: 'python3' } }), /for the kernel "python3"/],
    ['no kernel', notebook([], {}), /for the kernel "none".*--kernel tslab/],
    [
      'compiler options that are none',
      notebook([], { kernelspec: { name: 'tslab' }, key: { compilerOptions: 1 } }),
      /"compilerOptions" takes an object such as {"strict": true}, got 1/,
    ],
    [
      'an expected error without the tag',
      notebook([code('', { key: { raises: { name: 'TypeError' } } })]),
      /cell 1, metadata "key" names the error expected, so the cell must carry the tag/,
    ],
    [
      'an annotation that is misspelt',
      notebook([code('', { tags: ['raises-exception'], key: { raises: { nmae: 'TypeError' } } })]),
      /"raises" takes "name" and "message" .* got {"nmae":"TypeError"}/,
    ],
    [
      'a name of an annotation that is misspelt',
      notebook([code('', { tags: ['raises-exception'], key: { raise: { name: 'TypeError' } } })]),
      /cell 1, metadata: expected "key.raises", got "key.raise"/,
    ],
    [
      'annotations under a name that is misspelt',
      notebook([code('', { Key_: { timeout: 1 } })]),
      /cell 1, metadata: expected "key", got "Key_"/,
    ],
    ['annotations that are text', notebook([code('', { key: '{"timeout": 1}' })]), /"key" takes an object .* got "{/],
    [
      'annotations that are a list',
      notebook([], { kernelspec: { name: 'tslab' }, key: [{ timeout: 1 }] }),
      /x.ipynb, metadata: "key" takes an object .* got \[{"timeout":1}\]/,
    ],
    [
      'an annotation that is null',
      notebook([code('', { tags: ['raises-exception'], key: { raises: null } })]),
      /"raises" takes "name" and "message" .* got null/,
    ],
    [
      'an annotation of another type',
      notebook([code('', { tags: ['raises-exception'], key: { raises: 'TypeError' } })]),
      /"raises" takes "name" and "message"/,
    ],
    [
      'a type of cell that does not exist',
      notebook([{ ...code(''), cell_type: 'Code' }]),
      /cell 1: "cell_type" is one of code, markdown, raw, got "Code"/,
    ],
    [
      'tags that are no list',
      notebook([code('', { tags: 'raises-exception' })]),
      /cell 1, metadata: "tags" takes a list of strings, got "raises-exception"/,
    ],
    [
      'a time that is none',
      notebook([], { kernelspec: { name: 'tslab' }, key: { runMinutes: '2' } }),
      /"runMinutes" takes minutes above 0, got "2"/,
    ],
    ['a limit that is none', notebook([code('', { key: { timeout: 0 } })]), /"timeout" takes seconds above 0, got 0/],
  ])('refuses %s', (_, text, message) => {
    const parse = () => parseNotebook('x.ipynb', text, 'key');
    expect(parse).toThrow(Problem);
    expect(parse).toThrow(message);
  });
});
