import { courseNotebooks } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';

/** Which notebook to open, from the checkout's root: the one asked for by number or name, else the first. */
export function chooseNotebook(root: string, asked: string | undefined): string {
  const names = courseNotebooks(root);
  const chosen =
    asked === undefined
      ? names[0]
      : names.find((name) => name === asked || name.startsWith(`${asked.padStart(2, '0')}-`));
  if (chosen) return `notebooks/${chosen}`;
  const there = names.map((name) => name.replace(/\.ipynb$/, '')).join(', ');
  throw new Problem(`--notebook expects the number of a notebook, got "${asked}". There are: ${there}.`);
}
