import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { chooseCompiler } from './choose-compiler.js';

const folder = mkdtempSync(join(tmpdir(), 'polling-lab-compiler-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tslab = dirname(createRequire(import.meta.url).resolve('tslab/package.json'));

let packages = 0;
/** Puts a package into the folder, and chooses the compiler `name`. Default: that package. */
function ask(name?: unknown, version = '5.9.3') {
  const own = `mine-${++packages}`; // a new name each time: Node caches a `package.json`
  const at = join(folder, 'node_modules', own);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name: own, version }));
  writeFileSync(join(at, 'index.js'), '');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ tslab: { compiler: name ?? own } }));
  return chooseCompiler(folder, 'tslab', tslab);
}

test('a package of the project is taken', () => {
  expect(ask()).toMatchObject({ version: '5.9.3', isOwn: true, problems: [] });
});

// The kernel refuses these: a path could run a file in any folder, and a version becomes part of the cache file's name.
test.each(['./node_modules/mine-1', '../mine', '/mine', 'mine-1/../mine-1', '@/mine', 5])(
  '%j is not the name of a package',
  (name) => {
    const { isOwn, problems } = ask(name);
    expect(isOwn).toBe(false);
    expect(problems.join()).toMatch(/a compiler is the name of a package/);
  },
);

test.each(['4.9.5', '7.0.0', '5.9.3/../../x', '5'])('version %s is not taken', (version) => {
  const { isOwn, problems } = ask(undefined, version);
  expect(isOwn).toBe(false);
  expect(problems.join()).toMatch(/expected 5 or 6/);
});
