import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closeness, guessed } from './charts/guessed.js';
import { show } from './display.js';
import { draw } from './draw.js';
import { solvedAt } from './exercise.js';
import { guessesIn, isClose, PREDICTED, type RememberedGuess } from './guesses.js';
import { CHECKOUT } from './own-server.js';
import { escaped } from './table.js';

/** How far the reader came in one notebook. */
export interface Progress {
  /** The notebook's file. */
  file: string;
  title: string;
  exercises: number;
  solved: number;
  /** What the reader predicted in it. */
  guesses: RememberedGuess[];
}

const FOLDER = join(CHECKOUT, 'notebooks');
/** A notebook that the runner executes has no reader, so nothing is recalled in it. */
const GUESSES = process.env.POLLING_LAB_RUN ? null : PREDICTED;

/**
 * Shows what was solved and predicted so far, notebook by notebook, and draws whether the predictions got closer. It is remembered
 * in this checkout, in `.polling-lab/solved` and `.polling-lab/predicted`.
 */
export async function showProgress(): Promise<void> {
  const course = await progress();
  const told = ({ solved, exercises }: Progress) => `${solved} of ${exercises} solved`;
  const marks = ({ solved, exercises }: Progress) => '●'.repeat(solved) + '○'.repeat(exercises - solved);
  const foreseen = ({ guesses }: Progress) =>
    guesses.length === 0
      ? 'nothing predicted'
      : `${guesses.filter(isClose).length} of ${guesses.length} predictions close`;
  const sum = (of: 'solved' | 'exercises') => course.reduce((total, one) => total + one[of], 0);
  const total = `${sum('solved')} of ${sum('exercises')} exercises solved.`;
  const guesses = course.flatMap((one) => one.guesses);
  const skill = predictionSkill(guesses);
  const cells = (one: Progress) => [marks(one), told(one), foreseen(one)];
  const left = (html: string) => `<td style="text-align:left">${html}</td>`;
  const rows = course.map((one) => {
    const link = `<a href="${one.file}">${escaped(one.title)}</a>`;
    return `<tr>${[link, ...cells(one)].map(left).join('')}</tr>`;
  });
  const items = course.map((one) => `- [${one.title}](${one.file}): ${cells(one).join(', ')}`);
  show({
    'text/html': `<table><tbody>${rows.join('')}</tbody></table><p>${total}</p><p>${skill}</p>`,
    'text/markdown': [...items, '', total, '', skill].join('\n'),
    'text/plain': [...course.map((one) => `${one.title}: ${cells(one).join(', ')}`), total, skill].join('\n'),
  });
  if (guesses.length > 0) await draw(guessed(guesses, { title: closeness(guesses) }));
}

/** Says in words how many guesses were close. */
export function predictionSkill(guesses: RememberedGuess[]): string {
  if (guesses.length === 0) return "You haven't compared a prediction yet.";
  return `${guesses.filter(isClose).length} of ${guesses.length} predictions were within 10 % of the measurement.`;
}

/** The notebooks that have exercises, in the order to read them in. */
export async function progress(memory?: string | null, predicted = GUESSES): Promise<Progress[]> {
  const names = (await readdir(join(FOLDER, 'exercises'))).filter((name) => /^\d\d-.*(?<!\.test)\.ts$/.test(name));
  return Promise.all(
    names.sort().map(async (name) => {
      const file = name.replace(/\.ts$/, '.ipynb');
      const { metadata } = JSON.parse(await readFile(join(FOLDER, file), 'utf8'));
      const ids = await exercisesOf(name);
      const solved = (await Promise.all(ids.map((id) => solvedAt(id, memory)))).filter(Boolean).length;
      const guesses = predicted === null ? [] : guessesIn(name.replace(/\.ts$/, ''), predicted);
      return { file, title: metadata['polling-lab'].title as string, exercises: ids.length, solved, guesses };
    }),
  );
}

/** The ids of a notebook's exercises, as its file in `exercises/` names them. */
export async function exercisesOf(name: string): Promise<string[]> {
  const code = await readFile(join(FOLDER, 'exercises', name), 'utf8');
  return [...code.matchAll(/^\s+id: '([^']+)',$/gm)].map(([, id]) => id as string);
}
