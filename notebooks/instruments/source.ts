import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { show } from './display.js';
import { CHECKOUT } from './own-server.js';

/** What fits on a screen beside its explanation. */
export const MAX_LINES = 25;

/**
 * Shows a function as it stands in its source file, with the file's name and its lines.
 *
 * @param file Where it stands, from the checkout's folder: `server/core/techniques/status.ts`.
 * @param name A function, class, method or constant of that file, or the name after a `// #region`.
 * @throws when there is no such name in the file, or it is longer than 25 lines.
 */
export async function showSource(file: string, name: string): Promise<void> {
  const { first, lines } = find(await readFile(join(CHECKOUT, file), 'utf8'), name, file);
  const where = `${file}, lines ${first} to ${first + lines.length - 1}`;
  const code = lines.join('\n');
  show({
    'text/markdown': `**${where}**\n\n\`\`\`typescript\n${code}\n\`\`\``,
    'text/plain': `${where}\n\n${code}`,
  });
}

/** The lines of a function or region, without the indentation they share; `first` counts from 1. */
export function find(
  text: string,
  name: string,
  file = 'the file',
  max = MAX_LINES,
): { first: number; lines: string[] } {
  const all = text.split('\n');
  const [first, end] = region(all, name) ?? declaration(text, name) ?? [-1, -1];
  if (first < 0) throw new Error(`${file} has neither a declaration nor a region "${name}". Was it renamed?`);
  const lines = all.slice(first, end);
  if (lines.length > max) {
    throw new Error(`"${name}" of ${file} has ${lines.length} lines, and ${max} can be shown. Show a part of it.`);
  }
  const indents = lines.filter((line) => line.trim()).map((line) => line.search(/\S/));
  const shared = Math.min(...indents);
  return { first: first + 1, lines: lines.map((line) => line.slice(shared)) };
}

type Range = [first: number, end: number];

function region(lines: string[], name: string): Range | null {
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`);
  if (start < 0) return null;
  const end = lines.findIndex((line, i) => i > start && line.trim().startsWith('// #endregion'));
  return end < 0 ? null : [start + 1, end];
}

/** The part of the compiler that is used, typed by hand: its own types are more than the kernel should read for this. */
interface Node {
  name?: { text: string };
  parent: Node;
  getStart(file: Node, withComment: boolean): number;
  getEnd(): number;
}
type Kind = 'Function' | 'Class' | 'Interface' | 'TypeAlias' | 'Method' | 'Variable';
type Compiler = Record<`is${Kind}Declaration`, (node: Node) => boolean> & {
  createSourceFile(name: string, text: string, target: number, setParents: true): Node;
  forEachChild<T>(node: Node, visit: (child: Node) => T | undefined): T | undefined;
};

function declaration(text: string, name: string): Range | null {
  // The kernel's own compiler: it is loaded already.
  const ts: Compiler = require('@tslab/typescript-for-tslab');
  const file = ts.createSourceFile('source.ts', text, 99, true);
  const kinds = ['Function', 'Class', 'Interface', 'TypeAlias', 'Method'] as const;
  const search = (node: Node): Node | undefined => {
    const named = node.name?.text === name;
    if (named && kinds.some((kind) => ts[`is${kind}Declaration`](node))) return node;
    if (named && ts.isVariableDeclaration(node)) return node.parent.parent; // its whole statement
    return ts.forEachChild(node, search);
  };
  const node = search(file);
  if (!node) return null;
  const lineOf = (position: number) => text.slice(0, position).split('\n').length;
  return [lineOf(node.getStart(file, true)) - 1, lineOf(node.getEnd())];
}
