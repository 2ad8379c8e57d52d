import { existsSync, statSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { glob } from 'zx';
import { Problem } from '../shared/problem.mjs';
import type { Project } from './project.js';

const IGNORED = ['**/node_modules/**', '**/.ipynb_checkpoints/**', '**/build/**'];

/**
 * The notebooks that the arguments name, as absolute paths, each once, in order of path.
 * An argument is a file, a folder (all notebooks below it) or a glob, relative to the folder `from` and to no other: a
 * mistyped path must not find other notebooks. Throws a Problem for each argument that names no notebook.
 */
export async function discover(args: string[], from: string): Promise<string[]> {
  const found = new Set<string>();
  for (const arg of args) {
    if (arg.trim() === '') throw new Problem('Expected the path of a notebook, got an empty one. Is a variable unset?');
    const paths = await named(arg, from);
    if (paths.length === 0) throw new Problem(`No notebook at ${arg} (looked from ${from}).`);
    for (const path of paths) found.add(path);
  }
  return [...found].sort();
}

async function named(arg: string, from: string): Promise<string[]> {
  const path = resolve(from, arg);
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) return [path];
    return glob('**/*.ipynb', { cwd: path, ignore: IGNORED, absolute: true });
  }
  const paths = await glob(arg, { cwd: from, ignore: IGNORED, absolute: true });
  return paths.filter((one) => one.endsWith('.ipynb'));
}

/** The notebooks of a shard: `2/3` takes every third one, beginning with the second. Each notebook is in one shard. */
export function shard(paths: string[], which: string): string[] {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(which)?.map(Number) ?? [];
  if (!index || !count || index > count) {
    throw new Problem(`--shard takes INDEX/COUNT with 1 <= INDEX <= COUNT, such as 1/3, got ${which}.`);
  }
  return paths.filter((_, position) => position % count === index - 1);
}

/** Where the executed copy of a notebook goes: below `out`, and no two notebooks to the same place. */
export function copyPath(
  path: string,
  { root, notebooks = [] }: Pick<Project, 'root' | 'notebooks'>,
  out: string,
  repeat: number,
): string {
  const inside = relative(root, path);
  const folder = notebooks.find((one) => inside.startsWith(`${one}${sep}`)) ?? '';
  const place = inside.startsWith('..')
    ? resolve(out, 'elsewhere', path.split(sep).filter(Boolean).join(sep))
    : resolve(out, relative(folder, inside));
  return repeat === 1 ? place : place.replace(/\.ipynb$/, `.repeat-${repeat}.ipynb`);
}
