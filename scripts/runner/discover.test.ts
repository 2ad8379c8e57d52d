import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyPath, discover, shard } from './discover.js';

let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'discover é ')));
  for (const path of ['a.ipynb', 'b c/d.ipynb', 'b c/node_modules/e.ipynb', '.ipynb_checkpoints/a.ipynb']) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), '');
  }
  await writeFile(join(folder, 'readme.md'), '');
});
afterAll(() => rm(folder, { recursive: true }));

const found = async (...args: string[]) => (await discover(args, folder)).map((path) => relative(folder, path));

describe('discover', () => {
  it('takes files, folders and globs, each notebook once', async () => {
    expect(await found('a.ipynb')).toEqual(['a.ipynb']);
    expect(await found('.')).toEqual(['a.ipynb', 'b c/d.ipynb']);
    expect(await found('b c', '**/*.ipynb', 'a.ipynb')).toEqual(['a.ipynb', 'b c/d.ipynb']);
    expect(await found(join(folder, 'a.ipynb'))).toEqual(['a.ipynb']);
  });

  it.each(['none.ipynb', 'none/*.ipynb', '*.md', 'b c/node_modules/*.ipynb'])(
    'says where it looked for %s',
    async (arg) => {
      await expect(found(arg)).rejects.toThrow(`No notebook at ${arg} (looked from ${folder})`);
    },
  );

  it('refuses a pattern that matches nothing also beside one that matches', async () => {
    await expect(found('a.ipynb', 'none/*.ipynb')).rejects.toThrow('No notebook at none/*.ipynb');
  });

  it.each(['', ' '])('refuses %j, which an unset variable leaves', async (arg) => {
    await expect(found(arg)).rejects.toThrow('Is a variable unset?');
  });
});

describe('shard', () => {
  const all = ['a', 'b', 'c', 'd', 'e'];
  it('deals every notebook to exactly one shard', () => {
    const shares = [1, 2, 3].map((index) => shard(all, `${index}/3`));
    expect(shares).toEqual([['a', 'd'], ['b', 'e'], ['c']]);
  });
  it.each(['0/3', '4/3', '1', 'a/b', '1/0'])('refuses %s', (which) => {
    expect(() => shard(all, which)).toThrow(/--shard takes INDEX\/COUNT/);
  });
});

const LAB = { root: '/lab', notebooks: ['notebooks'] };

describe('places', () => {
  it('gives every notebook and repeat a copy of its own', () => {
    const copies = [
      copyPath('/lab/notebooks/a.ipynb', LAB, '/out', 1),
      copyPath('/lab/notebooks/a.ipynb', LAB, '/out', 2),
      copyPath('/lab/scripts/a.ipynb', LAB, '/out', 1),
      copyPath('/other/a.ipynb', LAB, '/out', 1),
    ];
    expect(copies).toEqual([
      '/out/a.ipynb',
      '/out/a.repeat-2.ipynb',
      '/out/scripts/a.ipynb',
      '/out/elsewhere/other/a.ipynb',
    ]);
  });
});
