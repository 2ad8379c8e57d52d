// Finds a place in TypeScript by what stands there, not by its line: the code around it may change, and move to
// another file.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A change of a file: the text that takes the place of what stands there from `start` to `end`. */
export interface Edit {
  file: string;
  start: number;
  end: number;
  text: string;
}

export const parseSource = (file: string, text: string): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);

/** The TypeScript files of a folder and of those in it, but for tests and what `leaveOut` names. */
export function readSources(folder: string, leaveOut: string[] = []): ts.SourceFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return leaveOut.includes(entry.name) ? [] : readSources(path, leaveOut);
    const isSource = entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts');
    return isSource ? [parseSource(path, readFileSync(path, 'utf8'))] : [];
  });
}

/**
 * The edit that makes `make` of the one place where `pattern` fits.
 *
 * A pattern is TypeScript: an expression, a member of an object (`name: value`), or with a semicolon at its end or a
 * keyword at its beginning a statement. In it `$NAME` stands for any one node, the same wherever it comes again, and `$$$NAME` for any number of list elements
 * (arguments, members). Spaces, line breaks and comments do not count. In `make` both stand for the text that they fit.
 *
 * @param inside the names around the place, such as `submit` or `Jobs.end`: functions, methods, classes, variables
 * @throws Error unless there is exactly one such place
 */
export function editAt(sources: ts.SourceFile[], inside: string, pattern: string, make: string): Edit {
  const wanted = parsePattern(pattern);
  const found: Edit[] = [];
  const names = inside.split('.');
  for (const source of sources.filter(({ text }) => names.every((name) => text.includes(name)))) {
    const visit = (node: ts.Node, names: string) => {
      const fitted: Fitted = new Map();
      if (names.includes(`.${inside}.`) && fits(wanted, node, fitted)) {
        const text = make.replace(/\$+[A-Z]*/g, (hole) => fitted.get(hole) ?? hole);
        found.push({ file: source.fileName, start: node.getStart(), end: node.getEnd(), text });
      }
      const own = nameOf(node);
      ts.forEachChild(node, (child) => visit(child, own ? `${names}${own}.` : names));
    };
    visit(source, '.');
  }
  const [edit, ...others] = found;
  if (edit && others.length === 0) return edit;
  const places = found.map(({ file }) => file).join(', ') || 'nowhere';
  throw new Error(`expected once inside ${inside}, found ${found.length} times (${places}): ${pattern}`);
}

type Fitted = Map<string, string>;

function parsePattern(pattern: string): ts.Node {
  const parse = (text: string) => parseSource('pattern.ts', text).statements[0]!;
  if (/^('[^']+'|\w+):/.test(pattern)) {
    const { expression } = parsePattern(`({ ${pattern} })`) as ts.ParenthesizedExpression;
    return (expression as ts.ObjectLiteralExpression).properties[0]!;
  }
  const isObject = pattern.startsWith('{');
  const statement = parse(isObject ? `(${pattern})` : pattern);
  if (!ts.isExpressionStatement(statement) || pattern.endsWith(';')) return statement;
  return isObject ? (statement.expression as ts.ParenthesizedExpression).expression : statement.expression;
}

/** The name that a node gives to what is in it. */
function nameOf(node: ts.Node): string | null {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const named =
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isAccessor(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isVariableDeclaration(node);
  return named && node.name && ts.isIdentifier(node.name) ? node.name.text : null;
}

/** A `$NAME` of the pattern; null if it is another node. */
function holeOf(node: ts.Node): string | null {
  if (ts.isExpressionStatement(node) || ts.isShorthandPropertyAssignment(node) || ts.isBindingElement(node)) {
    const inner = node.getChildren()[0];
    return inner ? holeOf(inner) : null;
  }
  return ts.isIdentifier(node) && /^(\$[A-Z]+|\$\$\$[A-Z]*)$/.test(node.text) ? node.text : null;
}

function fits(pattern: ts.Node, node: ts.Node, fitted: Fitted): boolean {
  const hole = holeOf(pattern);
  if (hole) {
    const text = node.getText();
    if (fitted.has(hole)) return fitted.get(hole) === text;
    // A statement may stand for a statement only, and an expression for an expression.
    if (ts.isExpressionStatement(pattern) !== isStatement(node)) return false;
    fitted.set(hole, text);
    return true;
  }
  if (pattern.kind !== node.kind) return false;
  const [wanted, have] = [childrenOf(pattern), childrenOf(node)];
  if (wanted.length === 0 || have.length === 0) {
    return wanted.length === have.length && pattern.getText() === node.getText();
  }
  return listFits(wanted, have, fitted);
}

const isStatement = (node: ts.Node) =>
  ts.isBlock(node) || (node.kind >= ts.SyntaxKind.FirstStatement && node.kind <= ts.SyntaxKind.LastStatement);

/** Tokens too, but for the commas and semicolons that a formatter may add or leave out. */
const childrenOf = (node: ts.Node) =>
  node.getChildren().filter(({ kind }) => kind !== ts.SyntaxKind.CommaToken && kind !== ts.SyntaxKind.SemicolonToken);

function listFits([first, ...rest]: ts.Node[], nodes: ts.Node[], fitted: Fitted): boolean {
  if (!first) return nodes.length === 0;
  const hole = holeOf(first);
  if (!hole?.startsWith('$$$')) {
    return nodes.length > 0 && fits(first, nodes[0]!, fitted) && listFits(rest, nodes.slice(1), fitted);
  }
  // A list has at most one such hole: what the others leave is its.
  const taken = nodes.slice(0, nodes.length - rest.length);
  if (nodes.length < rest.length) return false;
  fitted.set(hole, taken.map((node) => node.getText()).join(', '));
  return listFits(rest, nodes.slice(taken.length), fitted);
}
