import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chooseNotebook } from './choose-notebook.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'polling-lab-course-'));
  mkdirSync(join(root, 'notebooks'));
  for (const name of ['03-three.ipynb', '01-one.ipynb', 'scratch.ipynb', '03-three.md'])
    writeFileSync(join(root, 'notebooks', name), '');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('the first, or the one asked for by number or name', () => {
  expect(chooseNotebook(root, undefined)).toBe('notebooks/01-one.ipynb');
  expect(chooseNotebook(root, '03')).toBe('notebooks/03-three.ipynb');
  expect(chooseNotebook(root, '3')).toBe('notebooks/03-three.ipynb');
  expect(chooseNotebook(root, '03-three.ipynb')).toBe('notebooks/03-three.ipynb');
});

test('one that is not there is an error that says which are', () => {
  expect(() => chooseNotebook(root, '07')).toThrow('got "07". There are: 01-one, 03-three.');
});
