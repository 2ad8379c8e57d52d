import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { type CourseNotebook, readCourse } from '../shared/course.js';
import { isCode, tagsOf, textOf } from '../shared/notebook-file.js';
import { calls } from './syllabus.js';

/** What every lesson does, by the instrument that does it. */
const PARTS = {
  predict: 'lets the reader predict',
  draw: 'draws what was measured',
  showSource: "shows the server's side",
  witnesses: "holds the client's count against the ledger's",
};

/**
 * Holds every lesson (each numbered notebook but the first) to being whole: predictions, a plot, the server's code, both
 * witnesses, assertions, exercises with their tests, notes for teachers, and its row in the README. `notebooks/README.md`
 * has the steps that lead there. In every notebook the predictions begin blank. One line a problem.
 */
export async function checkLessons(root: string): Promise<string[]> {
  const course = await readCourse(root);
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  return course.flatMap((notebook, at) => {
    const whole = at === 0 ? [] : faults(notebook, root, readme);
    return [...whole, ...filledPredictions(notebook)].map((what) => `notebooks/${notebook.name}: ${what}`);
  });
}

/** Predictions with a number in them, as a reader's copy has: the next reader would not have to think. */
function filledPredictions({ content }: CourseNotebook): string[] {
  return content.cells.filter(isCode).flatMap((cell) => {
    const numbers: string[] = [];
    const file = ts.createSourceFile('cell.ts', textOf(cell.source), ts.ScriptTarget.Latest);
    const visit = (node: ts.Node) => {
      for (const guess of guessesOf(node)) {
        if (guess.kind !== ts.SyntaxKind.NullKeyword && !ts.isIdentifier(guess)) numbers.push(guess.getText(file));
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
    return numbers.map((number) => `cell "${cell.id}": a prediction begins blank, expected null, got ${number}`);
  });
}

/** Where readers write their numbers: `predict('polls', HERE)`, `yours: HERE`, and `[HERE, HERE].map((yours) => …)`. */
function guessesOf(node: ts.Node): readonly ts.Expression[] {
  if (ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === 'yours')
    return [node.initializer];
  if (!ts.isCallExpression(node)) return [];
  const [first, second] = node.arguments;
  if (ts.isIdentifier(node.expression) && node.expression.text === 'predict') return second ? [second] : [];
  const list = ts.isPropertyAccessExpression(node.expression) ? node.expression.expression : undefined;
  const parameter = first && ts.isArrowFunction(first) ? first.parameters[0]?.name : undefined;
  const takesGuesses = parameter !== undefined && ts.isIdentifier(parameter) && parameter.text === 'yours';
  return takesGuesses && list && ts.isArrayLiteralExpression(list) ? list.elements : [];
}

function faults(
  { name, title, goals, content: { cells }, picture }: CourseNotebook,
  root: string,
  readme: string,
): string[] {
  const stem = name.replace(/\.ipynb$/, '');
  const code = cells.filter(isCode);
  const called = new Set(code.flatMap((cell) => calls(textOf(cell.source))));
  const drawing = code.filter((cell) => calls(textOf(cell.source)).some((call) => call === 'draw' || call === 'live'));
  const plot = drawing.some(({ id }) => id === picture);
  const image = `.github/images/${name.slice(0, 2)}.svg`;
  const missing = (path: string) => (existsSync(join(root, path)) ? [] : [`there is no ${path}`]);
  return [
    ...(title && goals.length > 0 ? [] : ['"polling-lab" in its metadata has to have a "title" and "goals"']),
    ...Object.entries(PARTS).flatMap(([call, does]) => (called.has(call) ? [] : [`no cell ${does}: ${call}(…)`])),
    ...([...called].some((call) => /^assert(\.|$)/.test(call)) ? [] : ['no cell asserts what the text says']),
    ...(cells.some((cell) => tagsOf(cell).includes('check')) ? [] : ['no exercise: no cell has the tag "check"']),
    ...missing(`notebooks/exercises/${stem}.ts`),
    ...missing(`notebooks/exercises/${stem}.test.ts`),
    ...missing(`notebooks/notes/${stem}.md`),
    ...(plot ? [] : [`"picture" in its metadata has to name a cell that draws, got ${JSON.stringify(picture)}`]),
    ...(plot ? missing(image).map((what) => `${what}: npm run pictures -- --notebook ${name.slice(0, 2)}`) : []),
    ...(readme.includes(`(notebooks/${name})`) && readme.includes(image) ? [] : ['README.md has no row for it']),
  ];
}
