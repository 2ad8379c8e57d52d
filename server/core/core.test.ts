import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

// A reader takes in the core whole, in about 20 minutes. It stands on Node and on the list of techniques, and on nothing else.
const MAX_LINES = 1_500;
const ALSO = '../techniques.ts';

const core = import.meta.dirname;
const files = readdirSync(core, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => ({ name, text: readFileSync(join(core, name), 'utf8') }));

describe('the core', () => {
  it(`has at most ${MAX_LINES} lines`, () => {
    expect(files.length).toBeGreaterThan(15);
    const lines = files.reduce((sum, { text }) => sum + text.split('\n').length - 1, 0);
    expect(lines).toBeLessThanOrEqual(MAX_LINES);
  });

  it.each(files)('$name stands in the reading order of the README', ({ name }) => {
    expect(readFileSync(join(core, '..', 'README.md'), 'utf8')).toContain(`](core/${name})`);
  });

  it.each(files)('$name imports nothing from outside the core, types included', ({ name, text }) => {
    const imports = [...text.matchAll(/\b(?:from|import|import\(|require\()\s*['"]([^'"]+)['"]/g)].map(
      ([, path]) => path!,
    );
    const outside = imports.filter((path) => {
      if (path.startsWith('node:')) return false;
      const file = relative(core, resolve(core, name, '..', path)).replace(/\.js$/, '.ts');
      return !path.startsWith('.') || (file.startsWith('..') && file !== ALSO);
    });
    expect(outside).toEqual([]);
  });
});
