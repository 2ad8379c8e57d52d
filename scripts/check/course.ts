import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { courseNotebooks } from '../shared/paths.mjs';
import { type ReadingTime, readingTime } from '../shared/reading-time.js';

export interface Cell {
  cell_type: 'code' | 'markdown' | 'raw';
  id: string;
  metadata: { tags?: string[]; jupyter?: { source_hidden?: boolean }; 'polling-lab'?: { covers?: string[] } };
  source: string | string[];
}

/** A numbered notebook of the course, and what it says of itself. */
export interface CourseNotebook {
  /** The file's name: `03-short-polling.ipynb`. */
  name: string;
  number: number;
  title: string;
  /** What the reader will find out. */
  goals: string[];
  /** How long its cells run, in minutes, rounded up; 0 if never measured. */
  runMinutes: number;
  /** The cell whose plot stands for the notebook in the README; null for none. */
  picture: string | null;
  time: ReadingTime;
  cells: Cell[];
  /** The whole file. */
  json: { cells: Cell[]; metadata: Record<string, unknown> };
}

/** The course's notebooks, in the order to read them in. */
export function readCourse(root: string): Promise<CourseNotebook[]> {
  return Promise.all(
    courseNotebooks(root).map(async (name) => {
      const json = JSON.parse(await readFile(join(root, 'notebooks', name), 'utf8')) as CourseNotebook['json'];
      const about = json.metadata['polling-lab'] as Partial<CourseNotebook> | undefined;
      const { title = '', goals = [], runMinutes = 0, picture = null } = about ?? {};
      const number = Number(name.slice(0, 2));
      return { name, number, title, goals, runMinutes, picture, time: readingTime(json), cells: json.cells, json };
    }),
  );
}

/** Writes a notebook as JupyterLab does. */
export function writeNotebook(root: string, { name, json }: CourseNotebook, cells: Cell[]): Promise<void> {
  return writeFile(join(root, 'notebooks', name), `${JSON.stringify({ ...json, cells }, null, 1)}\n`);
}

export const textOf = ({ source }: Pick<Cell, 'source'>) => [source].flat().join('');
export const linesOf = (text: string) => text.split(/(?<=\n)/);
