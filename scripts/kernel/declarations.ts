// What the cells after a cell know: a declaration file with the latest declaration of each name.
import type {
  __String,
  Bundle,
  Declaration,
  ImportClause,
  ImportDeclaration,
  Node,
  SourceFile,
  Statement,
  TransformerFactory,
  Symbol as TsSymbol,
  TypeChecker,
} from '@tslab/typescript-for-tslab';
import { ts } from './typescript.js';

/** The names that a file declares at its top level. */
export function localsOf(file: SourceFile): Map<string, TsSymbol> {
  const { locals = new Map() } = file as SourceFile & { locals?: Map<__String, TsSymbol> };
  const named = [...locals].filter(([, { declarations }]) => !declarations?.some(isForAllFiles));
  return new Map(named.map(([name, symbol]) => [ts.unescapeLeadingUnderscores(name), symbol]));
}

/** Transforms the declarations that the compiler emits for a cell: exported or not, a name is as visible as all others. */
export function onlyDeclarations(): TransformerFactory<SourceFile | Bundle> {
  return () => (file) => {
    if (!ts.isSourceFile(file)) return file;
    const statements = file.statements.filter(
      (statement) => !ts.isExportDeclaration(statement) && !ts.isExportAssignment(statement),
    );
    for (const statement of statements) {
      if (!ts.canHaveModifiers(statement) || !statement.modifiers) continue;
      const modifiers = statement.modifiers.filter(
        ({ kind }) => kind !== ts.SyntaxKind.ExportKeyword && kind !== ts.SyntaxKind.DefaultKeyword,
      );
      Object.assign(statement, {
        modifiers: ts.factory.createNodeArray(modifiers),
      });
    }
    return Object.assign(file, {
      statements: ts.factory.createNodeArray(statements),
    });
  };
}

/**
 * The text of the declaration file after a cell: `own`, which is what the cell declares, and of `earlier` what the
 * cell does not declare again. A name may stand for a value, for a type, or for both.
 */
export function declarationsAfter(checker: TypeChecker, cell: SourceFile, earlier: SourceFile, own: string): string {
  const flagsOf = (symbol: TsSymbol): number =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol).flags : symbol.flags;
  const declared = localsOf(cell);
  const kept = new Map<Statement, Set<string>>();
  const untyped = new Set<string>();
  for (const [name, symbol] of localsOf(earlier)) {
    const again = declared.get(name);
    const flagsNow = again ? flagsOf(again) : 0;
    for (const declaration of symbol.declarations ?? []) {
      const statement = statementOf(declaration, earlier);
      const flags = ts.isImportDeclaration(statement) ? flagsOf(symbol) : flagsOfKind(statement);
      if (again && (flags & MEANING) === 0) continue; // an import that was not found
      if (flags & flagsNow & ts.SymbolFlags.Value) continue;
      if (flags & flagsNow & ts.SymbolFlags.Type) {
        // A class whose name is now that of an interface: its value is still there, and its type has no name.
        if (flags & ts.SymbolFlags.Value) untyped.add(name);
        continue;
      }
      kept.set(statement, (kept.get(statement) ?? new Set()).add(name));
    }
  }

  const printer = ts.createPrinter({ newLine: ts.NewLineKind.LineFeed });
  const text = earlier.statements.flatMap((statement) => {
    const names = kept.get(statement);
    const reduced = isForAllFiles(statement) ? statement : names && reduce(statement, names);
    return reduced ? printer.printNode(ts.EmitHint.Unspecified, reduced, earlier) : [];
  });
  const loose = [...untyped].map((name) => `declare let ${name}: any;`);
  return [...referencesOf(earlier, cell), own, ...text, ...loose].join('\n');
}

const MEANING = ts.SymbolFlags.Value | ts.SymbolFlags.Type;

function statementOf(declaration: Declaration, file: SourceFile): Statement {
  let node: Node = declaration;
  while (node.parent !== file) node = node.parent;
  return node as Statement;
}

/** What a statement declares; an import takes that from what it names. */
function flagsOfKind(statement: Statement): number {
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) return ts.SymbolFlags.Type;
  if (ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) return MEANING;
  return ts.SymbolFlags.Value; // variables, functions, namespaces
}

/** `declare global { … }` and `declare module 'x' { … }` have no name that another cell could take. */
function isForAllFiles(node: Node): boolean {
  return (
    ts.isModuleDeclaration(node) &&
    (ts.isStringLiteral(node.name) || (node.flags & ts.NodeFlags.GlobalAugmentation) !== 0)
  );
}

/** The statement with only these of its names. */
function reduce(statement: Statement, names: Set<string>): Statement {
  if (ts.isVariableStatement(statement)) {
    const { declarationList: list } = statement;
    const declarations = list.declarations.filter(({ name }) => ts.isIdentifier(name) && names.has(name.text));
    return ts.factory.updateVariableStatement(
      statement,
      statement.modifiers,
      ts.factory.updateVariableDeclarationList(list, declarations),
    );
  }
  if (!ts.isImportDeclaration(statement) || !statement.importClause) return statement;
  const { modifiers, importClause, moduleSpecifier } = statement;
  // Named `attributes` since TypeScript 5.3.
  const { attributes = statement.assertClause } = statement as { attributes?: ImportDeclaration['assertClause'] };
  const clause = reduceImport(importClause, names);
  return ts.factory.updateImportDeclaration(statement, modifiers, clause, moduleSpecifier, attributes);
}

function reduceImport(clause: ImportClause, names: Set<string>): ImportClause {
  const name = clause.name && names.has(clause.name.text) ? clause.name : undefined;
  let bindings = clause.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) bindings = names.has(bindings.name.text) ? bindings : undefined;
  else if (bindings) {
    const elements = bindings.elements.filter((element) => names.has(element.name.text));
    bindings = elements.length > 0 ? ts.factory.updateNamedImports(bindings, elements) : undefined;
  }
  return ts.factory.updateImportClause(clause, clause.isTypeOnly, name, bindings);
}

/** `/// <reference … />`: what one cell asks for is there for those after it. */
function referencesOf(...files: SourceFile[]): string[] {
  const lines = files.flatMap((file) => [
    ...file.referencedFiles.map(({ fileName }) => `/// <reference path="${fileName}" />`),
    ...file.typeReferenceDirectives.map(({ fileName }) => `/// <reference types="${fileName}" />`),
    ...file.libReferenceDirectives.map(({ fileName }) => `/// <reference lib="${fileName}" />`),
  ]);
  return [...new Set(lines)];
}
