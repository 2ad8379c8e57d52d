// What an editor asks while the reader types. Positions on the wire count characters (code points);
// JavaScript's strings count UTF-16 units.

import type * as TypeScript from '@tslab/typescript-for-tslab';
import { isCompleteCode } from 'tslab/dist/converter.js';
import { printQuickInfo } from 'tslab/dist/inspect.js';
import type { Compiler } from './compiler.js';
import type { Content } from './protocol.js';
import { ts } from './typescript.js';

function toUnits(text: string, codePoints: number): number {
  return [...text].slice(0, codePoints).join('').length;
}

function toCodePoints(text: string, units: number): number {
  return [...text.slice(0, units)].length;
}

/** Parts of the compiler that it exports and does not declare. */
const internal = ts as unknown as {
  /** Only tslab's edition of the compiler has it as a function. */
  getQuickInfoAtPosition?(
    file: TypeScript.SourceFile,
    checker: TypeScript.TypeChecker,
    cancellation: TypeScript.CancellationToken,
    position: number,
  ): TypeScript.QuickInfo | undefined;
  getTouchingPropertyName(file: TypeScript.SourceFile, position: number): TypeScript.Node;
  SymbolDisplay: {
    getSymbolDisplayPartsDocumentationAndSymbolKind(
      checker: TypeScript.TypeChecker,
      symbol: TypeScript.Symbol,
      file: TypeScript.SourceFile,
      enclosing: TypeScript.Node,
      at: TypeScript.Node,
    ): Pick<TypeScript.QuickInfo, 'displayParts' | 'documentation' | 'tags'>;
  };
  Completions: {
    getCompletionsAtPosition(
      host: object,
      program: TypeScript.Program,
      log: () => void,
      file: TypeScript.SourceFile,
      position: number,
      preferences: object,
      trigger: undefined,
      kind: TypeScript.CompletionTriggerKind,
      cancellation: TypeScript.CancellationToken,
    ): TypeScript.CompletionInfo | undefined;
  };
  findPrecedingToken(position: number, file: TypeScript.SourceFile): TypeScript.Node | undefined;
  findNextToken(
    after: TypeScript.Node,
    parent: TypeScript.Node,
    file: TypeScript.SourceFile,
  ): TypeScript.Node | undefined;
};
const cancellation = {
  isCancellationRequested: () => false,
  throwIfCancellationRequested() {},
};

export function complete(compiler: Compiler, content: Content): Content {
  const code = String(content.code);
  const position = toUnits(code, Number(content.cursor_pos));
  const { program, cell } = compiler.locate(code);
  const found = internal.Completions.getCompletionsAtPosition(
    {},
    program,
    () => {},
    cell,
    position,
    {},
    undefined,
    ts.CompletionTriggerKind.Invoked,
    cancellation,
  );
  const name = nameAt(cell, position);
  const entries = ranked(found?.entries ?? [], name?.text ?? '');
  const cursor_start = toCodePoints(code, name ? name.getStart(cell) : position);
  const cursor_end = toCodePoints(code, name ? name.end : position);
  return {
    status: 'ok',
    matches: entries.map((entry) => entry.name),
    cursor_start,
    cursor_end,
    metadata: {
      // Lab shows the kind beside each name: https://ipython.readthedocs.io (experimental, but stable)
      _jupyter_types_experimental: entries.map((entry) => ({
        start: cursor_start,
        end: cursor_end,
        text: entry.name,
        type: entry.kind,
      })),
    },
  };
}

/** The name that the cursor stands in, behind or right before. */
function nameAt(file: TypeScript.SourceFile, position: number): TypeScript.Identifier | undefined {
  const before = internal.findPrecedingToken(position, file);
  if (before && ts.isIdentifier(before) && before.end >= position) return before;
  const next = before && internal.findNextToken(before, file, file);
  return next && ts.isIdentifier(next) && next.getStart(file) <= position && position <= next.end ? next : undefined;
}

/** Those that begin with what is typed, then those that do so in another case, then those that have it inside. */
function ranked(entries: readonly TypeScript.CompletionEntry[], typed: string): TypeScript.CompletionEntry[] {
  const rank = ({ name }: TypeScript.CompletionEntry) => {
    if (name.startsWith(typed)) return 0;
    if (name.toLowerCase().startsWith(typed.toLowerCase())) return 1;
    return name.toLowerCase().includes(typed.toLowerCase()) ? 2 : 3;
  };
  return entries
    .filter((entry) => rank(entry) < 3)
    .sort(
      (a, b) => rank(a) - rank(b) || a.sortText.localeCompare(b.sortText) || (typed ? 0 : a.name.localeCompare(b.name)),
    );
}

export function inspectCode(compiler: Compiler, content: Content): Content {
  const code = String(content.code);
  const { program, cell } = compiler.locate(code);
  const position = toUnits(code, Number(content.cursor_pos));
  const checker = program.getTypeChecker();
  const info = internal.getQuickInfoAtPosition
    ? internal.getQuickInfoAtPosition(cell, checker, cancellation, position)
    : quickInfo(cell, checker, position);
  const data = info ? { 'text/plain': printQuickInfo(info) } : {};
  return { status: 'ok', found: info !== undefined, data, metadata: {} };
}

/** The signature of the name at a position, and what is documented of it. */
function quickInfo(file: TypeScript.SourceFile, checker: TypeScript.TypeChecker, position: number) {
  const node = internal.getTouchingPropertyName(file, position);
  const symbol = checker.getSymbolAtLocation(node);
  if (!symbol) return undefined;
  const { getSymbolDisplayPartsDocumentationAndSymbolKind: describe } = internal.SymbolDisplay;
  return describe(checker, symbol, file, file, node) as TypeScript.QuickInfo;
}

export function isComplete(content: Content): Content {
  const code = String(content.code);
  const { completed, indent = '' } = isCompleteCode(code);
  if (!completed) return { status: 'incomplete', indent };
  const { diagnostics = [] } = ts.transpileModule(code, {
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
    },
  });
  return { status: diagnostics.length > 0 ? 'invalid' : 'complete' };
}
