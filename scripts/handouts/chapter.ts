import { basename } from 'node:path';
import { readCourseNotebook } from '../shared/course.js';
import { idOf, tagsOf, textOf } from '../shared/notebook-file.js';
import { Problem } from '../shared/problem.mjs';
import type { ReadingTime } from '../shared/reading-time.js';

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

/** Reads what a notebook says of itself. */
export async function readChapter(path: string): Promise<Chapter> {
  const { title, goals, time, number, content } = await readCourseNotebook(path);
  if (!title || goals.length === 0) {
    throw new Problem(
      `${path} does not tell what it is about: expected "polling-lab": { "title", "goals" } in its metadata.`,
    );
  }
  const name = basename(path, '.ipynb');
  const checks = content.cells.filter((cell) => tagsOf(cell).includes('check'));
  return {
    name,
    number: number || null,
    path,
    // What comes before the first chapter bears the title of the course.
    title: number ? title : inWords(name),
    goals,
    time,
    cellIds: content.cells.map(idOf),
    checkCells: new Map(checks.map((cell) => [idOf(cell), textOf(cell.source)])),
  };
}
