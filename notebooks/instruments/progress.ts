import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { show } from './display.js';
import { solvedAt } from './exercise.js';
import { CHECKOUT } from './own-server.js';
import { escaped } from './table.js';

/** How far the reader came in one notebook. */
export interface Progress {
  /** The notebook's file. */
  file: string;
  title: string;
  exercises: number;
  solved: number;
}

const FOLDER = join(CHECKOUT, 'notebooks');

/** Shows what was solved so far, notebook by notebook. It is remembered in this checkout, in .polling-lab/solved. */
export async function showProgress(): Promise<void> {
  const course = await progress();
  const told = ({ solved, exercises }: Progress) => `${solved} of ${exercises} solved`;
  const marks = ({ solved, exercises }: Progress) => '●'.repeat(solved) + '○'.repeat(exercises - solved);
  const sum = (of: 'solved' | 'exercises') => course.reduce((total, one) => total + one[of], 0);
  const total = `${sum('solved')} of ${sum('exercises')} exercises solved.`;
  const rows = course.map(
    (one) =>
      `<tr><td style="text-align:left"><a href="${one.file}">${escaped(one.title)}</a></td>` +
      `<td style="text-align:left">${marks(one)}</td><td style="text-align:left">${told(one)}</td></tr>`,
  );
  const items = course.map((one) => `- [${one.title}](${one.file}): ${marks(one)} ${told(one)}`);
  show({
    'text/html': `<table><tbody>${rows.join('')}</tbody></table><p>${total}</p>`,
    'text/markdown': [...items, '', total].join('\n'),
    'text/plain': [...course.map((one) => `${marks(one)} ${one.title}: ${told(one)}`), total].join('\n'),
  });
}

/** The notebooks that have exercises, in the order to read them in. */
export async function progress(memory?: string | null): Promise<Progress[]> {
  const names = (await readdir(join(FOLDER, 'exercises'))).filter((name) => /^\d\d-.*(?<!\.test)\.ts$/.test(name));
  return Promise.all(
    names.sort().map(async (name) => {
      const file = name.replace(/\.ts$/, '.ipynb');
      const { metadata } = JSON.parse(await readFile(join(FOLDER, file), 'utf8'));
      const ids = await exercisesOf(name);
      const solved = (await Promise.all(ids.map((id) => solvedAt(id, memory)))).filter(Boolean).length;
      return { file, title: metadata['polling-lab'].title as string, exercises: ids.length, solved };
    }),
  );
}

/** The ids of a notebook's exercises, as its file in `exercises/` names them. */
export async function exercisesOf(name: string): Promise<string[]> {
  const code = await readFile(join(FOLDER, 'exercises', name), 'utf8');
  return [...code.matchAll(/^\s+id: '([^']+)',$/gm)].map(([, id]) => id as string);
}
