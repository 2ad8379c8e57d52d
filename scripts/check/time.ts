import { projectIn } from '../project.js';
import { knownDurations } from '../runner/durations.js';
import { type CourseNotebook, mainCourse, readCourse } from '../shared/course.js';
import { courseMetadata } from '../shared/course-metadata.js';
import { writeNotebookFile } from '../shared/notebook-file.js';

/** The longest that a reader may need, in minutes, exercises apart. */
const LIMITS = { notebook: 30, first: 15, course: 180 };

/**
 * What is longer than its limit today, and the minutes that it may have until it is cut. These numbers may only go
 * down: cut the notebook, lower its number, and remove the entry as soon as the limit holds.
 */
const TOO_LONG: Record<string, number> = {
  'the main course': 188,
};

/** How far a measured run may be from `runMinutes`: a machine may be busy, and notebooks that run together slow each other. */
const ROOM_MINUTES = 2;

interface TimeOptions {
  fix: boolean;
  /** Hears of each notebook that is too long and allowed to be so for now. */
  note: (line: string) => void;
  tooLong?: Record<string, number>;
}

/**
 * Holds the course to its time. The time of a notebook is computed (`scripts/shared/reading-time.ts`); its run time is
 * `runMinutes` in the metadata. `fix` takes it from the last run that `npm run notebooks` (without `--stress`) or
 * `npm run handouts` measured on this machine, rounded up to half a minute; `--jobs 1` measures best. A run within two
 * minutes of `runMinutes` changes nothing, so that the committed number does not differ from machine to machine; a longer
 * one fails the check. Without a measurement on this machine, `runMinutes` is believed. One line a problem.
 */
export async function checkTime(root: string, { fix, note, tooLong = TOO_LONG }: TimeOptions): Promise<string[]> {
  const measured = await knownDurations(projectIn(root).durationsFile);
  const problems: string[] = [];
  const measure = (notebook: CourseNotebook) => {
    const ranMs = measured.get(`notebooks/${notebook.name}`);
    if (ranMs === undefined) return;
    const ran = Math.ceil(ranMs / 30_000) / 2;
    if (fix && (!notebook.runMinutes || Math.abs(ran - notebook.runMinutes) > ROOM_MINUTES)) {
      courseMetadata(notebook.content).runMinutes = ran;
      writeNotebookFile(notebook.path, notebook.content);
    } else if (ran > notebook.runMinutes + ROOM_MINUTES) {
      const says = `"runMinutes" says ${notebook.runMinutes}`;
      problems.push(`notebooks/${notebook.name}: its last run took ${ran} minutes, and ${says}; --fix writes it anew`);
    }
  };
  for (const notebook of await readCourse(root)) measure(notebook);

  const course = await readCourse(root);
  const times = [
    ...course.map(({ name, time }, at) => ({
      name,
      minutes: time.minutes,
      limit: at === 0 ? LIMITS.first : LIMITS.notebook,
    })),
    {
      name: 'the main course',
      minutes: mainCourse(course).reduce((sum, { time }) => sum + time.minutes, 0),
      limit: LIMITS.course,
    },
  ];
  for (const { name, minutes, limit } of times) {
    const allowed = tooLong[name];
    const takes = `${name} takes ${minutes} minutes; the limit is ${limit}`;
    if (minutes > (allowed ?? limit)) {
      problems.push(
        `${takes}${allowed === undefined ? '' : `, and ${allowed} until it is cut`}: cut words, code or waiting`,
      );
    } else if (allowed !== undefined && minutes > limit) {
      note(`TOO LONG: ${takes}, and ${allowed} until it is cut.`);
    } else if (allowed !== undefined) {
      problems.push(`${takes}: remove its entry from TOO_LONG in scripts/check/time.ts`);
    }
  }
  const names = new Set(times.map(({ name }) => name));
  for (const name of Object.keys(tooLong)) {
    if (!names.has(name)) problems.push(`TOO_LONG in scripts/check/time.ts names ${name}, which does not exist`);
  }
  return problems;
}
