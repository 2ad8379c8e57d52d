import { basename, join } from 'node:path';
import { courseMetadata } from './course-metadata.js';
import { type INotebookContent, readNotebookFile } from './notebook-file.js';
import { courseNotebooks } from './paths.mjs';
import { type ReadingTime, readingTime } from './reading-time.js';

/** A numbered notebook of the course, and what it says of itself. */
export interface CourseNotebook {
  /** The file's name: `03-short-polling.ipynb`. */
  name: string;
  path: string;
  number: number;
  title: string;
  goals: string[];
  /** 0 if never measured. */
  runMinutes: number;
  /** The cell whose plot stands for the notebook in the README; null for none. */
  picture: string | null;
  time: ReadingTime;
  content: INotebookContent;
}

export async function readCourseNotebook(path: string): Promise<CourseNotebook> {
  const { content } = await readNotebookFile(path);
  const name = basename(path);
  const { title = '', goals = [], runMinutes = 0, picture = null } = courseMetadata(content);
  const number = Number.parseInt(name, 10);
  return { name, path, number, title, goals, runMinutes, picture, time: readingTime(content), content };
}

/** The course's notebooks, in the order to read them in. */
export const readCourse = (root: string): Promise<CourseNotebook[]> =>
  Promise.all(courseNotebooks(root).map((name) => readCourseNotebook(join(root, 'notebooks', name))));

/** The notebooks to read in a row: the first one to *choosing*. The others are optional. */
export function mainCourse(course: CourseNotebook[]): CourseNotebook[] {
  const last = course.findIndex(({ name }) => name.endsWith('-choosing.ipynb'));
  return last < 0 ? course : course.slice(0, last + 1);
}
