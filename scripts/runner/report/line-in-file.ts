import { compiler } from '../kernel.js';
import type { Notebook } from '../notebook.js';

/** The line of a notebook's file, from 1, in which a line of a cell stands. `cell` counts from 0, `line` from 1. */
export type LineInFile = (path: string, cell: number | null, line: number | null) => number;

/** Finds lines in the files of these notebooks, as they were read. Line 1 where there is no cell. */
export function lineFinder(notebooks: Notebook[]): LineInFile {
  const texts = new Map(notebooks.map(({ path, text }) => [path, text]));
  const places = new Map<string, number[][]>();
  return (path, cell, line) => {
    if (cell === null) return 1;
    if (!places.has(path)) places.set(path, sourceLines(texts.get(path) ?? ''));
    const lines = places.get(path)![cell] ?? [];
    return lines[(line ?? 1) - 1] ?? lines[0] ?? 1;
  };
}

/** For each cell, the lines of the file in which the lines of its source begin. A source that is one string is on one line. */
function sourceLines(text: string): number[][] {
  const ts = compiler();
  const file = ts.parseJsonText('notebook.json', text);
  const member = (node: unknown, name: string) => {
    const object = node as import('typescript').ObjectLiteralExpression | undefined;
    const found = object?.properties?.find((one) => one.name && ts.isStringLiteral(one.name) && one.name.text === name);
    return found && ts.isPropertyAssignment(found) ? found.initializer : undefined;
  };
  const lineOf = (node: import('typescript').Node) =>
    ts.getLineAndCharacterOfPosition(file, node.getStart(file)).line + 1;
  const cells = member(file.statements[0]?.expression, 'cells');
  if (!cells || !ts.isArrayLiteralExpression(cells)) return [];
  return cells.elements.map((cell) => {
    const source = member(cell, 'source');
    if (!source) return [lineOf(cell)];
    return ts.isArrayLiteralExpression(source) && source.elements.length > 0
      ? source.elements.map(lineOf)
      : [lineOf(source)];
  });
}
