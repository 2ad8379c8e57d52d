import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Cell {
  id: string;
  source: string | string[];
}

/** Line breaks are the formatter's affair: a cell is narrower than a file. */
const words = (code: string) =>
  code
    .split(/\s+/)
    .join(' ')
    .replace(/,(?= [)\]}])/g, '')
    .replace(/([(]) | ([)])/g, '$1$2');

const files = readdirSync(__dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(__dirname, file), 'utf8');
  const [, notebook] = /^\/\/ The notebook: (\S+)$/m.exec(text) ?? [];
  const { cells } = JSON.parse(readFileSync(join(__dirname, '..', notebook ?? ''), 'utf8')) as {
    cells: Cell[];
  };
  const regions = [...text.matchAll(/^\/\/ #region (\S+)\n([\s\S]*?)\n\/\/ #endregion$/gm)];

  it('has something to hold equal', () => {
    expect(regions.length).toBeGreaterThan(0);
    expect(regions.length).toBe(text.match(/#region/g)?.length);
  });

  it.each(regions.map(([, id, code]) => ({ id, code })))('is what cell $id teaches', ({ id, code }) => {
    const cell = cells.find((cell) => cell.id === id);
    expect(cell, `${notebook} has no cell "${id}"`).toBeDefined();
    expect(words(code?.replace(/^export /gm, '') ?? '')).toBe(words([cell?.source].flat().join('')));
  });

  it('shows nothing outside its regions', () => {
    const rest = text.replace(/^\/\/ #region [\s\S]*?^\/\/ #endregion$/gm, '');
    expect(rest).not.toMatch(/^(export|const|function|async|class|type|interface)\b/m);
  });
});
