import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Cell {
  cell_type: 'code' | 'markdown' | 'raw';
  id: string;
  metadata: { tags?: string[]; jupyter?: { source_hidden?: boolean } };
  source: string | string[];
  outputs?: unknown[];
  execution_count?: number | null;
}
interface Notebook {
  cells: Cell[];
  metadata: { kernelspec: unknown; 'polling-lab'?: { title: string; goals: string[]; runMinutes: number } };
}

const names = readdirSync(__dirname).filter((name) => name.endsWith('.ipynb'));

/** What fits in a cell of JupyterLab on a laptop, without scrolling. */
const WIDTH = 130;

describe.each(names)('%s', (name) => {
  const { cells, metadata } = JSON.parse(readFileSync(join(__dirname, name), 'utf8')) as Notebook;
  const text = (cell: Cell) => [cell.source].flat().join('');
  const code = cells.filter(({ cell_type }) => cell_type === 'code');
  const tagged = (tag: string) => cells.filter((cell) => cell.metadata.tags?.includes(tag));

  it('is for the tslab kernel', () => {
    expect(metadata.kernelspec).toEqual({ display_name: 'TypeScript', language: 'typescript', name: 'tslab' });
  });

  it('tells what it is about, for the map of the course', () => {
    const about = metadata['polling-lab'];
    expect(about?.title).toBeTruthy();
    expect(about?.goals.length).toBeGreaterThan(0);
    expect(about?.runMinutes).toBeGreaterThan(0);
  });

  it('is kept without outputs', () => {
    expect(code.filter(({ outputs, execution_count }) => outputs?.length || execution_count)).toEqual([]);
  });

  it('has a name of its own for every cell, so that a diff, a check or a lesson can point to it', () => {
    const ids = cells.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))).toEqual([]);
  });

  it('has no line of code that would have to be scrolled to', () => {
    const lines = code.flatMap((cell) =>
      text(cell)
        .split('\n')
        .map((line) => `${cell.id}: ${line}`),
    );
    expect(lines.filter((line) => line.length > WIDTH + line.indexOf(': ') + 2)).toEqual([]);
  });

  it('runs on a stock tslab too, which takes a `for await` only beside another await', () => {
    const alone = code.filter((cell) => {
      const awaits = text(cell).match(/^(?! ).*\bawait\b/gm) ?? [];
      return awaits.length > 0 && awaits.every((line) => line.startsWith('for await'));
    });
    expect(alone.map(({ id }) => id)).toEqual([]);
  });

  it('begins with words, and has words before long code', () => {
    expect(cells[0]?.cell_type).toBe('markdown');
    const code = cells.map(({ cell_type }) => (cell_type === 'code' ? 'c' : '-')).join('');
    expect(code).not.toMatch(/c{10}/);
  });

  it('says in the first line of a folded cell what its code does: JupyterLab shows no more of it', () => {
    const folded = code.filter(({ metadata }) => metadata.jupyter?.source_hidden);
    expect(folded.filter((cell) => !/^\/\/ \S.*\.\n/.test(text(cell))).map(({ id }) => id)).toEqual([]);
  });

  it('folds a cell that only draws', () => {
    const drawing = code.filter((cell) => text(cell).startsWith('// Draws '));
    expect(drawing.filter(({ metadata }) => !metadata.jupyter?.source_hidden).map(({ id }) => id)).toEqual([]);
  });

  it('offers a check, whose output has the hint, and a solution for every exercise', () => {
    expect(tagged('solution')).toHaveLength(tagged('check').length);
    for (const tag of ['check', 'solution']) {
      for (const cell of tagged(tag)) expect(cell.metadata.tags).toContain('exercise');
    }
  });
});
