import { projectIn } from '../project.js';
import { knownDurations } from '../runner/durations.js';
import { type CourseNotebook, mainCourse, readCourse } from '../shared/course.js';
import { courseMetadata } from '../shared/course-metadata.js';
import { writeNotebookFile } from '../shared/notebook-file.js';

/** The longest that a reader may need, in minutes, exercises apart. */
const LIMITS = { notebook: 30, first: 15, course: 180 };

/** How far a measured run may be from `runMinutes`: a machine may be busy, and notebooks that run together slow each other. */
const ROOM_MINUTES = 2;

/**
 * Holds the course to its time. The time of a notebook is computed (`scripts/shared/reading-time.ts`); its run time is
 * `runMinutes` in the metadata. `fix` takes it from the last run that `npm run notebooks` (without `--stress`) or
 * `npm run handouts` measured on this machine, rounded up to half a minute; `--jobs 1` measures best. A run within two
 * minutes of `runMinutes` changes nothing, so that the committed number does not differ from machine to machine; a longer
 * one fails the check. Without a measurement on this machine, `runMinutes` is believed. One line a problem.
 */
export async function checkTime(root: string, fix: boolean): Promise<string[]> {
  const measured = await knownDurations(projectIn(root));
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
    if (minutes <= limit) continue;
    problems.push(`${name} takes ${minutes} minutes; the limit is ${limit}: cut words, code or waiting`);
  }
  return problems;
}
