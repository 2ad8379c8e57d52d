import { dirname, join } from 'node:path';
import type TypeScript from 'typescript';
import type { Cell, Notebook } from './notebook.js';

/** Parts of the compiler that its types leave out: what binds a file's names, and where these are then. */
interface Binder {
  bindSourceFile(file: TypeScript.SourceFile, options: TypeScript.CompilerOptions): void;
}
type Bound = TypeScript.SourceFile & { locals: Map<string, TypeScript.Symbol & { exportSymbol?: TypeScript.Symbol }> };

/** A cell as a module. Its first line imports the names of earlier cells; the cell's source follows. */
export interface CellModule {
  cell: Cell;
  path: string;
  text: string;
}

/**
 * Turns a notebook into a chain of modules, as tslab does: each cell sees the latest declaration of each name before
 * it, and may declare any name again. A line of a module is the line of the cell before it, since each module has one
 * line more.
 */
export function cellModules(
  ts: typeof TypeScript,
  notebook: Notebook,
  options: TypeScript.CompilerOptions,
): CellModule[] {
  const visible = new Map<string, { from: string; as: Declared['as'] }>();
  const modules: CellModule[] = [];
  for (const cell of notebook.cells) {
    if (!cell.isCode || cell.tags.includes('skip-execution')) continue;
    const named = /^\s*\/\*\*[\s\S]*?@(module\s+([\w$-]+)|browser)\b/.exec(cell.source);
    if (named?.[1] === 'browser') continue; // tslab does not compile these
    if (named) {
      // tslab's `@module NAME`: other cells import it as './NAME'.
      modules.push({
        cell,
        path: cellPath(notebook, named[2]!),
        text: `export {};\n${cell.source}`,
      });
      continue;
    }
    const path = cellPath(notebook, `cell-${cell.index + 1}`);
    const own = locals(ts, cell.source, options);
    const earlier = [...visible].filter(([name]) => !own.has(name));
    const imports = earlier.map(([name, { from, as }]) =>
      as === 'import'
        ? `import { ${name} } from ${JSON.stringify(from)};`
        : `declare ${as} ${name}: typeof import(${JSON.stringify(from)}).${name};`,
    );
    const exported = [...own].filter(([, { isExported }]) => !isExported).map(([name]) => name);
    const exports = exported.length > 0 ? `\nexport { ${exported.join(', ')} };` : '';
    modules.push({ cell, path, text: `export {}; ${imports.join(' ')}\n${cell.source}${exports}` });
    const specifier = `./${specifierOf(path)}`;
    for (const [name, { as }] of own) visible.set(name, { from: specifier, as });
  }
  return modules;
}

/** A path beside the notebook, so that relative imports and packages are found where the kernel finds them. */
export function cellPath(notebook: Notebook, name: string): string {
  const slug = notebook.path.replace(/^.*\//, '');
  return join(dirname(notebook.path), `.${slug}.${name}.ts`);
}

const specifierOf = (path: string) => path.replace(/^.*\//, '').replace(/\.ts$/, '');

interface Declared {
  as: 'let' | 'const' | 'import';
  /** Whether the cell itself says `export`. */
  isExported: boolean;
}

/**
 * The names that a cell declares, and how a later cell gets them. It declares variables again, since it could not
 * assign to an import; it imports everything else, since that may be a type.
 */
function locals(ts: typeof TypeScript, source: string, options: TypeScript.CompilerOptions): Map<string, Declared> {
  const file = ts.createSourceFile('cell.ts', `export {};\n${source}`, ts.ScriptTarget.ES2022, true);
  (ts as unknown as Binder).bindSourceFile(file, options);
  const names = new Map<string, Declared>();
  for (const [name, local] of (file as Bound).locals) {
    const isExported = local.exportSymbol !== undefined;
    const { flags, declarations } = local.exportSymbol ?? local;
    const isVariable = (flags & ts.SymbolFlags.Variable) !== 0;
    const isType = (flags & ts.SymbolFlags.Type) !== 0;
    if (!isVariable || isType) {
      names.set(name, { as: 'import', isExported });
      continue;
    }
    const combined = ts.getCombinedNodeFlags(declarations![0] as TypeScript.VariableDeclaration);
    names.set(name, { as: combined & ts.NodeFlags.Const ? 'const' : 'let', isExported });
  }
  return names;
}
