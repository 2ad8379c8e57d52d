import type TypeScript from 'typescript';
import { Problem } from '../shared/problem.mjs';
import { compiler } from './kernel.js';
import type { Notebook } from './notebook.js';

interface Parameter {
  name: string;
  /** The values that it takes, in words. */
  type: string;
  accepts(value: unknown): boolean;
  /** Offsets of its initializer in the cell's source. */
  start: number;
  end: number;
}

/** `-p name=value` as a pair; the value is JSON where it can be, else text. */
export function parseParameter(text: string): [name: string, value: unknown] {
  const [, name, value] = /^([\p{L}_$][\p{L}\p{N}_$]*)=(.*)$/su.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new Problem(`-p takes NAME=VALUE, such as -p clients=100, got ${text}.`);
  }
  try {
    return [name, JSON.parse(value)];
  } catch {
    return [name, value];
  }
}

/**
 * For each notebook that has them, the source of its `parameters` cell with the given values in place
 * of those declared. A name that no notebook declares, or a value of another type, is refused.
 */
export function parametrize(notebooks: Notebook[], given: Map<string, unknown>): Map<string, Record<string, string>> {
  const sources = new Map<string, Record<string, string>>();
  const used = new Set<string>();
  const known = new Map<string, string>();
  for (const notebook of notebooks) {
    for (const cell of notebook.cells) {
      if (!cell.isCode || !cell.tags.includes('parameters')) continue;
      const declared = declaredIn(cell.source);
      for (const { name, type } of declared) known.set(name, type);
      const wanted = declared.filter(({ name }) => given.has(name));
      if (wanted.length === 0) continue;
      let source = cell.source;
      for (const parameter of wanted.sort((a, b) => b.start - a.start)) {
        let value = given.get(parameter.name);
        // -p version=2 for a string parameter means "2".
        if (!parameter.accepts(value) && parameter.accepts(String(value))) value = String(value);
        if (!parameter.accepts(value)) {
          throw new Problem(
            `Parameter ${parameter.name} of ${notebook.path} is ${parameter.type}, got ${JSON.stringify(value)}.`,
          );
        }
        used.add(parameter.name);
        source = source.slice(0, parameter.start) + JSON.stringify(value) + source.slice(parameter.end);
      }
      sources.set(notebook.path, { ...sources.get(notebook.path), [cell.index]: source });
    }
  }
  const unknown = [...given.keys()].filter((name) => !used.has(name));
  if (unknown.length > 0) {
    const list = [...known].map(([name, type]) => `${name} (${type})`).join(', ');
    throw new Problem(
      `Unknown parameter ${unknown.join(', ')}. ${list ? `Known: ${list}.` : 'None of the notebooks has a cell tagged "parameters" that declares any.'}`,
    );
  }
  return sources;
}

/** The variables that a cell declares with a literal value: only these can be set. */
function declaredIn(source: string): Parameter[] {
  const ts = compiler(); // the one that compiles the cells
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true);
  const found: Parameter[] = [];
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, type, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name) || !initializer) continue;
      const kind = type ? annotated(ts, type) : literal(ts, initializer);
      if (!kind) continue;
      found.push({
        name: name.text,
        start: initializer.getStart(file),
        end: initializer.getEnd(),
        ...kind,
      });
    }
  }
  return found;
}

type Kind = Pick<Parameter, 'type' | 'accepts'>;

const plainKinds = ['number', 'string', 'boolean'] as const;

function plainKind(type: (typeof plainKinds)[number]): Kind {
  return { type: `a ${type}`, accepts: (value) => typeof value === type };
}

function literal(ts: typeof TypeScript, node: TypeScript.Expression): Kind | null {
  if (ts.isNumericLiteral(node)) return plainKind('number');
  if (ts.isPrefixUnaryExpression(node) && ts.isNumericLiteral(node.operand)) return plainKind('number');
  if (ts.isStringLiteralLike(node)) return plainKind('string');
  if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
    return plainKind('boolean');
  }
  if (ts.isArrayLiteralExpression(node)) {
    const kinds = node.elements.map((element) => literal(ts, element));
    if (kinds.some((kind) => kind === null)) return null;
    const accepts = (value: unknown) =>
      Array.isArray(value) && (kinds.length === 0 || value.every((one) => kinds.some((kind) => kind!.accepts(one))));
    return { type: `a list such as ${node.getText()}`, accepts };
  }
  return null;
}

/** From a type annotation: a plain type, a list of one, or a choice of literals. */
function annotated(ts: typeof TypeScript, node: TypeScript.TypeNode): Kind | null {
  const text = node.getText();
  const plain = plainKinds.find((kind) => kind === text);
  if (plain) return plainKind(plain);
  if (ts.isArrayTypeNode(node)) {
    const of = annotated(ts, node.elementType);
    const accepts = (value: unknown) => Array.isArray(value) && value.every((one) => of!.accepts(one));
    return of && { type: `a list (${text})`, accepts };
  }
  const choices = (ts.isUnionTypeNode(node) ? [...node.types] : [node]).map((choice) =>
    ts.isLiteralTypeNode(choice) ? literal(ts, choice.literal as TypeScript.Expression) && choice : null,
  );
  if (choices.some((choice) => !choice)) return null;
  const values = choices.map((choice) => {
    const value = choice!.literal;
    if (ts.isStringLiteralLike(value)) return value.text;
    return JSON.parse(value.getText()) as unknown;
  });
  return { type: `one of ${text}`, accepts: (value) => values.includes(value) };
}
