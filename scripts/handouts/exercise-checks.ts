import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { Problem } from '../shared/problem.mjs';
import type { Chapter } from './chapter.js';

/** What the check of each exercise asks, as TypeScript, by the id of the cell that calls it. */
export async function readChecks({ path, name, checkCells }: Chapter): Promise<Record<string, string>> {
  if (checkCells.size === 0) return {};
  const file = join(dirname(path), 'exercises', `${name}.ts`);
  const sources = checkSources(await readFile(file, 'utf8'));
  const checks = [...checkCells].map(([id, source]) => {
    const called = [...sources.keys()].find((exercise) => new RegExp(`\\b${exercise}\\b`).test(source));
    if (!called) throw new Problem(`The cell "${id}" of ${name} calls no exercise of ${file}: ${source.trim()}`);
    return [id, sources.get(called)!];
  });
  return Object.fromEntries(checks);
}

/** The member `check` of every `exercise({ … })` in a file, by the name that the exercise is exported under. */
export function checkSources(text: string): Map<string, string> {
  const file = ts.createSourceFile('exercises.ts', text, ts.ScriptTarget.Latest, true);
  const found = new Map<string, string>();
  const search = (node: ts.Node, exercise: string): void => {
    const isCheck = ts.isMethodDeclaration(node) || ts.isPropertyAssignment(node);
    if (isCheck && node.name.getText() === 'check' && !found.has(exercise)) found.set(exercise, dedented(node));
    ts.forEachChild(node, (child) => search(child, exercise));
  };
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const declaration of statement.declarationList.declarations) {
      search(declaration, declaration.name.getText());
    }
  }
  return found;
}

/** The text of a node, as far to the left as it goes. */
function dedented(node: ts.Node): string {
  const { character } = ts.getLineAndCharacterOfPosition(node.getSourceFile(), node.getStart());
  const indent = ' '.repeat(character);
  return node
    .getText()
    .split('\n')
    .map((line) => (line.startsWith(indent) ? line.slice(character) : line))
    .join('\n');
}
