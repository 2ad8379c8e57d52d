import { type CourseNotebook, mainCourse, readCourse } from '../shared/course.js';
import { courseMetadata } from '../shared/course-metadata.js';
import { type ICell, idOf, linesOf, textOf, writeNotebookFile } from '../shared/notebook-file.js';
import type { ReadingTime } from '../shared/reading-time.js';

/**
 * Holds what a notebook says of itself and of the others to the notebooks' metadata: its title, goals and time, the
 * links to its neighbors and to the case files that belong to it, and the map in the first one. `fix` writes it anew.
 * One line a problem.
 */
export async function checkNavigation(root: string, fix: boolean): Promise<string[]> {
  const course = await readCourse(root);
  const problems: string[] = [];
  for (const notebook of course) {
    const { cells, missing } = expected(notebook, course);
    problems.push(...missing.map((what) => `notebooks/${notebook.name}: ${what}`));
    const stale = differences(notebook.content.cells, cells);
    if (stale.length === 0) continue;
    if (fix) writeNotebookFile(notebook.path, { ...notebook.content, cells });
    else problems.push(`notebooks/${notebook.name}: not what the metadata say: ${stale.join(', ')}`);
  }
  return problems;
}

/** The cells as they should be; `missing` is what a person has to write. */
function expected(notebook: CourseNotebook, course: CourseNotebook[]): { cells: ICell[]; missing: string[] } {
  const missing: string[] = [];
  const isFirst = notebook === course[0];
  const own = notebook.content.cells.filter(({ id }) => id !== TOP && id !== END);
  // A notebook may begin with something to see, and tell its goals and its time after that.
  const goalsCell = own.some(({ id }) => id === 'goals') ? 'goals' : 'title';
  const cells = own.map((cell) => {
    const marks = [...(cell.id === 'title' ? ['# '] : []), ...(cell.id === goalsCell ? [FIND_OUT, TIME] : [])];
    if (marks.length > 0) {
      const text = opening(textOf(cell.source), notebook);
      missing.push(...lacks(text, marks, idOf(cell)));
      return withText(cell, text);
    }
    return isFirst && cell.id === 'map' ? withText(cell, map(course)) : cell;
  });
  if (own[0]?.id !== 'title') missing.push('its first cell has to be "title"');
  if (isFirst && !own.some(({ id }) => id === 'map')) missing.push('it has no cell "map"');
  const links = neighbors(notebook, course);
  const top = isFirst ? [] : [navigation(TOP, links)]; // nothing comes before the first
  const end = [...casesOf(notebook, course), links].join('\n\n');
  return { cells: [...top, ...cells, navigation(END, end)], missing };
}

const TOP = 'navigation';
const END = 'navigation-end';

function navigation(id: string, text: string): ICell {
  return { cell_type: 'markdown', id, metadata: { tags: ['navigation'] }, source: linesOf(text) };
}

function neighbors(notebook: CourseNotebook, course: CourseNotebook[]): string {
  const at = course.indexOf(notebook);
  const [first, previous, next] = [course[0], course[at - 1], course[at + 1]];
  return [
    previous && previous !== first && `← ${link(previous)}`,
    first && first !== notebook && `[Contents](${first.name})`,
    next && `${link(next)} →`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** A line that links to the case files of a notebook, by the headings of their first cells (`### Case c: the second tab`). */
function casesOf({ number }: CourseNotebook, course: CourseNotebook[]): string[] {
  const links = course.flatMap(({ name, content }) =>
    content.cells
      .filter((cell) => courseMetadata(cell).caseOf?.includes(number))
      .map((cell) => `[${/^#+ (.*)/.exec(textOf(cell.source))?.[1] ?? idOf(cell)}](${name}#cell-id=${idOf(cell)})`),
  );
  if (links.length === 0) return [];
  const failures = links.length === 1 ? 'A failure of a real project' : 'Failures of real projects';
  return [`${failures}, for you to diagnose: ${links.join(', ')}`];
}

const link = ({ title, name }: Pick<CourseNotebook, 'title' | 'name'>) => `[${title}](${name})`;

const FIND_OUT = '**What you will find out**';
const TIME = '**Time**:';

/** A cell of the opening with the title, goals and time as the metadata have them; the rest is the author's. */
function opening(text: string, { title, goals, time }: CourseNotebook): string {
  const list = goals.map((goal, i) => `- ${goal}${i === goals.length - 1 ? '.' : ';'}`).join('\n');
  return text
    .replace(/^# .*/, () => `# ${title}`)
    .replace(/(?<=^\*\*What you will find out\*\*\n\n)(- .*\n?)+/m, () => `${list}\n`)
    .replace(/(?<=^\*\*Time\*\*: )[^.]*\./m, () => `${inWords(time)}.`);
}

/** The time of a notebook, as its reader sees it. */
const inWords = ({ minutes, exerciseMinutes }: ReadingTime) =>
  `${minutes} minutes to read and run${exerciseMinutes > 0 ? `, and ${exerciseMinutes} for the exercises` : ''}`;

const lacks = (text: string, marks: string[], cell: string) =>
  marks
    .filter((mark) => !text.split('\n').some((line) => line.startsWith(mark)))
    .map((mark) => `its cell "${cell}" has no line that begins with "${mark}"`);

/** The course at a glance, in a form that needs no kernel: GitHub shows it as well. */
function map(course: CourseNotebook[]): string {
  const lessons = course.slice(1);
  const main = mainCourse(course).slice(1);
  const total = sumOf(main);
  const rowOf = ({ number, time, ...notebook }: CourseNotebook) =>
    row([number, link(notebook), time.minutes, time.exerciseMinutes]);
  const others = lessons.filter((notebook) => !main.includes(notebook));
  return [
    '## The map',
    '',
    'The minutes to read and run each notebook, and for its exercises.',
    '',
    row(['', 'notebook', 'minutes', 'exercises']),
    '| --: | :-- | --: | --: |',
    ...main.map(rowOf),
    row(['', `${main[0]?.number} to ${main.at(-1)?.number}, the main course`, total.minutes, total.exerciseMinutes]),
    ...others.map(rowOf),
  ].join('\n');
}

const row = (columns: (string | number)[]) => `| ${columns.join(' | ')} |`.replaceAll('|  |', '| |');
const sumOf = (notebooks: CourseNotebook[]) => ({
  minutes: notebooks.reduce((sum, { time }) => sum + time.minutes, 0),
  exerciseMinutes: notebooks.reduce((sum, { time }) => sum + time.exerciseMinutes, 0),
});

const withText = (cell: ICell, text: string): ICell =>
  textOf(cell.source) === text ? cell : { ...cell, source: linesOf(text) };

/** The ids of the cells that are not as they should be. */
function differences(are: ICell[], should: ICell[]): string[] {
  const ids = [...new Set([...are, ...should].map(idOf))];
  const print = (cells: ICell[], id: string) => {
    const at = cells.findIndex((cell) => idOf(cell) === id);
    return at < 0 ? null : `${textOf(cells[at]!.source)} ${JSON.stringify(cells[at]!.metadata)}`;
  };
  const changed = ids.filter((id) => print(are, id) !== print(should, id));
  const moved = are.map(idOf).join() !== should.map(idOf).join();
  return changed.length === 0 && moved ? ['the order of the cells'] : changed;
}
