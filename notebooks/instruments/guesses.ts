import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './own-server.js';

/** A number that a reader said before it was measured. */
export interface Guess {
  /** The notebook's name without its ending: `03-short-polling`. */
  notebook: string;
  /** What was counted. */
  what: string;
  predicted: number;
  measured: number;
}

/** A guess, and when it was compared for the first time: RFC 3339 in UTC. */
export interface RememberedGuess extends Guess {
  at: string;
}

/** Where guesses are remembered: `NOTEBOOK/WHAT.json`, a file each, so that no two kernels write the same one. */
export const PREDICTED = join(CHECKOUT, '.polling-lab', 'predicted');

/** The most guesses that are remembered of a notebook. A notebook of the course has about ten. */
const MOST = 50;
/** The most letters of a file's name. */
const NAME_LENGTH = 80;
/** A notebook of the course. Of others nothing is remembered. */
const COURSE_NOTEBOOK = /^\d\d-[\w-]{1,60}$/;

/**
 * Remembers a guess, unless there is one already: after the first comparison the reader knows the measurement. A memory
 * that cannot be written (a full disk, a read-only folder) is said on stderr and fails no lesson.
 */
export function remember(guess: Guess, memory: string): void {
  if (!COURSE_NOTEBOOK.test(guess.notebook)) return;
  const folder = join(memory, guess.notebook);
  const name = guess.what
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, NAME_LENGTH);
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length >= MOST) return;
    const remembered: RememberedGuess = { ...guess, at: new Date().toISOString() };
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(remembered)}\n`, { flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') console.error(`Your prediction cannot be remembered in ${folder}: ${message}`);
  }
}

/** The guesses that are remembered of a notebook, the earliest first. A file that cannot be read as one is left out. */
export function guessesIn(notebook: string, memory: string): RememberedGuess[] {
  const folder = join(memory, notebook);
  return filesIn(folder)
    .flatMap((name) => {
      try {
        const guess = JSON.parse(readFileSync(join(folder, name), 'utf8')) as RememberedGuess;
        return [guess.predicted, guess.measured].every(Number.isFinite) && typeof guess.at === 'string' ? [guess] : [];
      } catch {
        return [];
      }
    })
    .sort((a, b) => a.at.localeCompare(b.at));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return []; // nothing was predicted in this notebook yet
  }
}

/** Whether a guess was within a tenth of the measurement. Where zero was measured, only zero is. */
export const isClose = ({ predicted, measured }: Guess) => Math.abs(predicted - measured) <= 0.1 * Math.abs(measured);
