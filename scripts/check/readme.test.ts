import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { glob } from 'zx';
import { checkout } from '../shared/paths.mjs';

const files = await glob('**/*.md', { cwd: checkout, ignore: ['**/node_modules/**', 'build/**'] });
const read = (file: string) => readFileSync(join(checkout, file), 'utf8');

/** The headings of a page, as GitHub makes addresses of them. */
const anchorsOf = (file: string) =>
  [
    ...read(file)
      .replace(/^```[\s\S]*?^```/gm, '')
      .matchAll(/^#+ (.*)/gm),
  ].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Where a page points to, in this repository, and nothing is. */
function dead(file: string): string[] {
  const targets = [...read(file).matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].map(([, a, b]) => a ?? b ?? '');
  return targets.filter((target) => {
    if (URL.canParse(target)) return false;
    const [path = '', anchor] = target.split('#');
    const there = path === '' ? file : join(dirname(file), path);
    return !existsSync(join(checkout, there)) || (anchor !== undefined && !anchorsOf(there).includes(anchor));
  });
}

test.each(files)('every link of %s leads somewhere', (file) => expect(dead(file)).toEqual([]));

test.each(files.flatMap((file) => [...read(file).matchAll(/npx vitest run ([\w./-]+)/g)].map(([, path = '']) => path)))(
  'npx vitest run %s finds tests',
  async (path) =>
    expect(await glob(/\.test\.ts$/.test(path) ? path : `${path}/**/*.test.ts`, { cwd: checkout })).not.toEqual([]),
);

const named = files.flatMap((file) =>
  [...read(file).matchAll(/\[`([\w.]+(?<!\.ts))`\]\(([\w./-]+\.ts)\)/g)].map(([, name = '', target = '']) => ({
    ...{ file, name, target: join(dirname(file), target) },
  })),
);
test.each(named)('$file: $name is declared in $target', ({ name, target }) => {
  const text = read(target);
  for (const part of name.split('.')) {
    // A function, class, interface or constant; or a method, a property, a function that an object holds.
    const declaration = `(function|class|interface|type|const) ${part}\\b|^ +((private|readonly|static|async|get) )*${part}(\\(|: | = )`;
    expect(text, part).toMatch(new RegExp(declaration, 'm'));
  }
});
