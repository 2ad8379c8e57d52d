import { existsSync, statSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { glob } from 'zx';
import { Problem } from '../shared/problem.mjs';

const IGNORED = ['**/node_modules/**', '**/.ipynb_checkpoints/**', '**/build/**'];

/**
 * The notebooks that the arguments name, as absolute paths, each once, in order of path.
 * An argument is a file, a folder (all notebooks below it) or a glob; it is looked for from each of
 * `from` in turn (npm runs a script in the package's folder, and tells in INIT_CWD where its user was).
 */
export async function discover(args: string[], from: string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const arg of args) {
    const paths = await named(arg, from);
    if (paths.length === 0) {
      throw new Problem(`No notebook at ${arg} (looked from ${[...new Set(from)].join(' and ')}).`);
    }
    for (const path of paths) found.add(path);
  }
  return [...found].sort();
}

async function named(arg: string, from: string[]): Promise<string[]> {
  for (const base of from) {
    const path = resolve(base, arg);
    if (existsSync(path)) {
      if (!statSync(path).isDirectory()) return [path];
      const inside = await glob('**/*.ipynb', { cwd: path, ignore: IGNORED, absolute: true });
      if (inside.length > 0) return inside;
      continue;
    }
    const paths = await glob(arg, { cwd: base, ignore: IGNORED, absolute: true });
    const notebooks = paths.filter((one) => one.endsWith('.ipynb'));
    if (notebooks.length > 0) return notebooks;
  }
  return [];
}

/** `--shard 2/3`: every third notebook, beginning with the second. All shards together are all. */
export function shard(paths: string[], which: string): string[] {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(which)?.map(Number) ?? [];
  if (!index || !count || index > count) {
    throw new Problem(`--shard takes INDEX/COUNT with 1 <= INDEX <= COUNT, such as 1/3, got ${which}.`);
  }
  return paths.filter((_, position) => position % count === index - 1);
}

/** How a path is shown and what its executed copy is called: short within the checkout, else whole. */
export function shown(path: string, checkout: string): string {
  const inside = relative(checkout, path);
  return inside.startsWith('..') ? path : inside;
}

/** Where the executed copy of a notebook goes: below `out`, never two notebooks to one place. */
export function copyPath(path: string, checkout: string, out: string, repeat: number): string {
  const inside = relative(checkout, path);
  const place = inside.startsWith('..')
    ? resolve(out, 'elsewhere', path.split(sep).filter(Boolean).join(sep))
    : resolve(out, inside.startsWith(`notebooks${sep}`) ? relative('notebooks', inside) : inside);
  return repeat === 1 ? place : place.replace(/\.ipynb$/, `.repeat-${repeat}.ipynb`);
}
