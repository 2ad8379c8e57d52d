import { projectIn } from '../project.js';
import { knownDurations } from '../runner/durations.js';
import { type CourseNotebook, mainCourse, readCourse } from '../shared/course.js';
import { courseMetadata } from '../shared/course-metadata.js';
import { writeNotebookFile } from '../shared/notebook-file.js';

/** The longest that a reader may need, in minutes, exercises apart. */
const LIMITS = { notebook: 30, first: 15, course: 180 };

/** How far a measured run may be from `runMinutes` before it is told of: notebooks that run together slow each other. */
const ROOM_MINUTES = 2;

/**
 * Holds the course to its time. The time of a notebook is computed (`scripts/shared/reading-time.ts`); its run time is
 * `runMinutes` in the metadata. `fix` takes it from the last run that `npm run notebooks` (without `--stress`) or
 * `npm run handouts` measured on this machine, rounded up to half a minute, where it is missing or a run was over two minutes
 * shorter; `--jobs 1` measures best. A longer run is only told of, because the machine may have been slow: it does not fail the
 * check, and changes no number that is committed. One line a problem.
 *
 * @param tell is called with each line that is no problem.
 */
export async function checkTime(root: string, fix: boolean, tell: (line: string) => void): Promise<string[]> {
  const measured = await knownDurations(projectIn(root));
  const problems: string[] = [];
  const measure = (notebook: CourseNotebook) => {
    const ranMs = measured.get(`notebooks/${notebook.name}`);
    if (ranMs === undefined) return;
    const ran = Math.ceil(ranMs / 30_000) / 2;
    if (fix && (!notebook.runMinutes || ran < notebook.runMinutes - ROOM_MINUTES)) {
      courseMetadata(notebook.content).runMinutes = ran;
      writeNotebookFile(notebook.path, notebook.content);
    } else if (ran > notebook.runMinutes + ROOM_MINUTES) {
      const says = `"runMinutes" in its metadata says ${notebook.runMinutes}`;
      const remedy = `If the machine was not slow then, set "runMinutes" to ${ran}.`;
      tell(`notebooks/${notebook.name}: its last run took ${ran} minutes, and ${says}. ${remedy}`);
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
