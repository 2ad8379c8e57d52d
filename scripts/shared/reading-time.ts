import { courseMetadata } from './course-metadata.js';
import { type ICell, type INotebookContent, isCode, isMarkdown, tagsOf, textOf } from './notebook-file.js';

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
export function readingTime(content: INotebookContent): ReadingTime {
  const tagged = (cell: ICell, ...tags: string[]) => tagsOf(cell).some((tag) => tags.includes(tag));
  const lesson = content.cells.filter((cell) => !tagged(cell, 'exercise', 'navigation'));
  const words = sum(lesson.filter(isMarkdown).map(({ source }) => wordsIn(textOf(source))));
  const visible = lesson.filter(isCode).filter(({ metadata }) => metadata.jupyter?.source_hidden !== true);
  const lines = sum(visible.map(({ source }) => linesIn(textOf(source))));
  const { runMinutes = 0 } = courseMetadata(content);
  return {
    minutes: Math.ceil(words / WORDS_A_MINUTE + (lines * SECONDS_A_LINE) / 60 + runMinutes),
    exerciseMinutes: content.cells.filter((cell) => tagged(cell, 'check')).length * MINUTES_AN_EXERCISE,
  };
}

const linesIn = (code: string) => code.split('\n').filter((line) => line.trim() !== '').length;
const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

function wordsIn(markdown: string): number {
  const shown = markdown.replace(/\]\([^)]*\)/g, ']').replace(/<[^>]+>/g, ' ');
  return shown.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
