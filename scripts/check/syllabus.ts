import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { type CourseNotebook, readCourse } from '../shared/course.js';
import { courseMetadata } from '../shared/course-metadata.js';
import { type ICell, idOf, isMarkdown, tagsOf, textOf } from '../shared/notebook-file.js';

/** A line of the syllabus, and a cell that stands for it. */
export interface Covered {
  fact: string;
  notebook: string;
  cell: string;
  how: 'asserts' | 'source';
}

/**
 * Every line of the syllabus (`notebooks/covers/NN.json`) with the cells that stand for it
 * (`"polling-lab": { "covers": [...] }` in their metadata). It is a problem if a line has no cell, a cell names a line
 * that there is not, or a cell neither asserts what it stands for nor carries its source.
 */
export async function syllabus(root: string): Promise<{ rows: Covered[]; problems: string[] }> {
  const folder = join(root, 'notebooks', 'covers');
  const rows: Covered[] = [];
  const problems: string[] = [];
  const course = await readCourse(root);
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const facts = new Map<string, string>();
  for (const file of files.sort()) {
    const lines = JSON.parse(await readFile(join(folder, file), 'utf8')) as Record<string, string>;
    for (const [key, fact] of Object.entries(lines)) {
      if (!key.startsWith(`${file.slice(0, 2)}-`)) problems.push(`notebooks/covers/${file}: "${key}" is not its own`);
      facts.set(key, fact);
    }
  }
  const named = course.flatMap((notebook) =>
    notebook.content.cells.flatMap((cell) =>
      (courseMetadata(cell).covers ?? []).map((key) => ({ notebook, cell, key })),
    ),
  );
  for (const [key, fact] of facts) {
    const mine = named.filter((one) => one.key === key);
    if (mine.length === 0) problems.push(`no cell covers "${key}": ${fact}`);
    for (const { notebook, cell } of mine) {
      const how = evidence(cell);
      if (how) rows.push({ fact, notebook: notebook.name, cell: idOf(cell), how });
      else problems.push(`${placeOf(notebook, cell)} neither asserts "${key}" nor links to its source`);
    }
  }
  for (const { notebook, cell, key } of named) {
    if (!facts.has(key)) problems.push(`${placeOf(notebook, cell)} covers "${key}", which no line of the syllabus is`);
  }
  for (const { name } of course.slice(1)) {
    const file = `${name.slice(0, 2)}.json`;
    if (!files.includes(file)) problems.push(`notebooks/${name}: no covers/${file}`);
  }
  return { rows, problems };
}

const placeOf = ({ name }: CourseNotebook, { id }: ICell) => `notebooks/${name}: cell "${id}"`;

/** How a cell stands for a fact; null if it does not. */
export function evidence(cell: ICell): Covered['how'] | null {
  if (isMarkdown(cell)) return /\]\(https:\/\//.test(textOf(cell.source)) ? 'source' : null;
  const raises = tagsOf(cell).includes('raises-exception');
  return raises || calls(textOf(cell.source)).some((name) => /^(assert(\.\w+)?|witnesses)$/.test(name))
    ? 'asserts'
    : null;
}

/** What is called in the code, by name. Read by the compiler, so that a comment is no call. */
export function calls(code: string): string[] {
  const file = ts.createSourceFile('cell.ts', code, ts.ScriptTarget.Latest);
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isCallExpression(node)) found.push(node.expression.getText(file));
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** The table, for a terminal: a line of the syllabus, and below it its cells. */
export function syllabusTable(rows: Covered[]): string {
  const lines = rows.map(({ fact, notebook, cell, how }, at) => {
    const head = rows[at - 1]?.fact === fact ? '' : `${fact}\n`;
    return `${head}    ${how.padEnd(8)} ${notebook}, cell "${cell}"\n`;
  });
  const facts = new Set(rows.map(({ fact }) => fact)).size;
  return `${lines.join('')}\n${facts} lines of the syllabus, ${rows.length} cells that stand for them.\n`;
}
