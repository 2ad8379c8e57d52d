import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Problem } from '../shared/problem.mjs';
import { type ReadingTime, readingTime } from '../shared/reading-time.js';

/** A notebook of the course, as the handouts name and describe it. */
export interface Chapter {
  /** Of its files, without an ending: `03-short-polling`. */
  name: string;
  /** From its name; null for what comes before the first chapter. */
  number: number | null;
  path: string;
  title: string;
  goals: string[];
  time: ReadingTime;
  cellIds: string[];
  /** The source of each cell tagged `check`, by the cell's id. */
  checkCells: Map<string, string>;
}

/** `00-start-here`: Start here. */
function inWords(name: string): string {
  const words = name.replace(/^\d+-/, '').replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

interface RawNotebook {
  metadata: { 'polling-lab'?: { title?: string; goals?: string[] } };
  cells: { id: string; cell_type: string; source: string | string[]; metadata: { tags?: string[] } }[];
}

/** Reads what a notebook says of itself. */
export async function readChapter(path: string): Promise<Chapter> {
  const notebook = JSON.parse(await readFile(path, 'utf8')) as RawNotebook;
  const { metadata, cells } = notebook;
  const { title, goals } = metadata['polling-lab'] ?? {};
  if (!title || !goals) {
    throw new Problem(
      `${path} does not tell what it is about: expected "polling-lab": { "title", "goals" } in its metadata.`,
    );
  }
  const name = basename(path, '.ipynb');
  const number = Number.parseInt(name, 10) || null;
  return {
    name,
    number,
    path,
    // What comes before the first chapter bears the title of the course.
    title: number ? title : inWords(name),
    goals,
    time: readingTime(notebook),
    cellIds: cells.map(({ id }) => id),
    checkCells: new Map(
      cells
        .filter((cell) => cell.metadata.tags?.includes('check'))
        .map(({ id, source }) => [id, [source].flat().join('')]),
    ),
  };
}
