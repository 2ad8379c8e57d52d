import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHECKOUT } from './own-server.js';
import { find } from './source.js';

const text = `
import x from 'y';

/** Adds. */
export function add(a: number, b: number): number {
  return a + b;
}

const one = 1;
export const twice = (n: number) =>
  n * 2;

export class Box {
  /** What is in it. */
  async open(
    key: string,
  ): Promise<void> {
    if (key) {
      await turn(key);
    }
  }
}

// #region lesson
  const a = 1;
    const b = 2;
// #endregion
`;

const shown = (name: string) => find(text, name).lines.join('\n');

it('finds a function with its comment, and says where it stands', () => {
  expect(find(text, 'add')).toEqual({
    first: 4,
    lines: ['/** Adds. */', 'export function add(a: number, b: number): number {', '  return a + b;', '}'],
  });
});

it('finds a constant on one line, and one that is broken', () => {
  expect(shown('one')).toBe('const one = 1;');
  expect(shown('twice')).toBe('export const twice = (n: number) =>\n  n * 2;');
});

it('finds a method, also one whose head is broken, and takes off the indentation', () => {
  expect(shown('open').split('\n')).toEqual([
    '/** What is in it. */',
    'async open(',
    '  key: string,',
    '): Promise<void> {',
    '  if (key) {',
    '    await turn(key);',
    '  }',
    '}',
  ]);
});

it('finds a class to its end', () => {
  expect(shown('Box').split('\n').at(-1)).toBe('}');
});

it('finds a region, without its marks', () => {
  expect(shown('lesson')).toBe('const a = 1;\n  const b = 2;');
});

it('says so when there is no such name', () => {
  expect(() => find(text, 'gone', 'a.ts')).toThrow('a.ts has neither a declaration nor a region "gone"');
});

it('refuses what does not fit on a screen', () => {
  expect(() => find(text, 'Box', 'a.ts', 5)).toThrow(/"Box" of a.ts has 10 lines, and 5 can be shown/);
});

it('shows the route of short polls', () => {
  const file = 'server/core/techniques/status.ts';
  const { lines } = find(readFileSync(join(CHECKOUT, file), 'utf8'), 'shortPoll', file);
  expect(lines.join('\n')).toContain('x.hasVersion(job.version)');
  expect(lines.at(-1)).toBe('}');
});
