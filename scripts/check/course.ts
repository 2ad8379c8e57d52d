import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { courseNotebooks } from '../setup/steps.mjs';

export interface Cell {
  cell_type: 'code' | 'markdown' | 'raw';
  id: string;
  metadata: { tags?: string[]; 'polling-lab'?: { covers?: string[] } };
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
  /** To read and try. */
  minutes: number;
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
      const { title = '', goals = [], minutes = 0 } = about ?? {};
      return { name, number: Number(name.slice(0, 2)), title, goals, minutes, cells: json.cells, json };
    }),
  );
}

/** Writes a notebook as JupyterLab does. */
export function writeNotebook(root: string, { name, json }: CourseNotebook, cells: Cell[]): Promise<void> {
  return writeFile(join(root, 'notebooks', name), `${JSON.stringify({ ...json, cells }, null, 1)}\n`);
}

export const textOf = ({ source }: Pick<Cell, 'source'>) => [source].flat().join('');
export const linesOf = (text: string) => text.split(/(?<=\n)/);
