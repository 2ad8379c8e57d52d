/** The parts of a notebook that its time is computed from, as nbformat 4 stores them. */
interface Timed {
  metadata: Record<string, unknown>;
  cells: {
    cell_type: string;
    source: string | string[];
    metadata: { tags?: string[]; jupyter?: { source_hidden?: boolean } };
  }[];
}

/** What a notebook asks of its reader, in whole minutes. */
export interface ReadingTime {
  /** To read the words and the visible code, and to wait while the cells run. */
  minutes: number;
  /** To solve the exercises. */
  exerciseMinutes: number;
}

const WORDS_A_MINUTE = 200;
const SECONDS_A_LINE = 2.5;
const MINUTES_AN_EXERCISE = 5;

/**
 * Computes how long a notebook takes: its words at 200 a minute, its visible lines of code at 2.5 s each, and the time
 * its cells run (`"polling-lab": { "runMinutes" }` in the metadata, 0 if absent), rounded up to a minute. Exercises are
 * counted apart, at 5 minutes for each cell tagged `check`. Not counted: links between the notebooks, folded code
 * (`jupyter.source_hidden`), empty lines, link targets, and what the cells print.
 */
export function readingTime({ metadata, cells }: Timed): ReadingTime {
  const lesson = cells.filter(
    ({ metadata: { tags = [] } }) => !tags.includes('exercise') && !tags.includes('navigation'),
  );
  const text = (type: string) => lesson.filter(({ cell_type }) => cell_type === type);
  const words = sum(text('markdown').map(({ source }) => wordsIn([source].flat().join(''))));
  const lines = sum(
    text('code')
      .filter(isVisible)
      .map(({ source }) => linesIn([source].flat().join(''))),
  );
  const { runMinutes = 0 } = (metadata['polling-lab'] ?? {}) as { runMinutes?: number };
  const exercises = cells.filter(({ metadata: { tags = [] } }) => tags.includes('check')).length;
  return {
    minutes: Math.ceil(words / WORDS_A_MINUTE + (lines * SECONDS_A_LINE) / 60 + runMinutes),
    exerciseMinutes: exercises * MINUTES_AN_EXERCISE,
  };
}

const isVisible = ({ metadata }: Timed['cells'][number]) => metadata.jupyter?.source_hidden !== true;
const linesIn = (code: string) => code.split('\n').filter((line) => line.trim() !== '').length;
const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

function wordsIn(markdown: string): number {
  const shown = markdown.replace(/\]\([^)]*\)/g, ']').replace(/<[^>]+>/g, ' ');
  return shown.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
