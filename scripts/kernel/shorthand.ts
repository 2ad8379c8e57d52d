// `{ a }`, where an earlier cell declared `a`.
import type {
  EmitAndSemanticDiagnosticsBuilderProgram,
  Node,
  TypeChecker,
  Visitor,
  VisitResult,
  WatchCompilerHost,
} from '@tslab/typescript-for-tslab';
import { ts } from './typescript.js';

/**
 * tslab writes a variable of an earlier cell as `exports.a` wherever it is named, but not in `{ a }`: there it takes the
 * name for the property's alone, and the cell would fail with "a is not defined". What it looks up is told about the
 * variable, and `{ a }` is written out as `{ a: exports.a }`.
 */
export function writeShorthandOut(compiler: {
  createWatchProgram: (host: Host) => unknown;
  visitEachChild: (node: Node, visitor: Visitor, context: unknown) => Node;
}): void {
  const { createWatchProgram, visitEachChild } = compiler;

  compiler.createWatchProgram = (host) => {
    const { afterProgramCreate } = host;
    host.afterProgramCreate = (program) => {
      tellVariables(program.getProgram().getTypeChecker());
      afterProgramCreate?.(program);
    };
    return createWatchProgram(host);
  };

  compiler.visitEachChild = (node, visitor, context) => {
    if (!ts.isShorthandPropertyAssignment(node)) return visitEachChild(node, visitor, context);
    const { name, objectAssignmentInitializer: initializer } = node;
    const variable = visitor(name) as VisitResult<typeof name>;
    if (variable === name) return visitEachChild(node, visitor, context);
    // `({ a = 1 } = {})` assigns to the variable as well.
    const value = initializer
      ? ts.factory.createAssignment(variable as typeof name, visitor(initializer) as typeof initializer)
      : (variable as typeof name);
    return ts.factory.createPropertyAssignment(name, value);
  };
}

type Host = WatchCompilerHost<EmitAndSemanticDiagnosticsBuilderProgram>;

function tellVariables(checker: TypeChecker): void {
  const { getSymbolAtLocation } = checker;
  checker.getSymbolAtLocation = (node) =>
    node.parent && ts.isShorthandPropertyAssignment(node.parent) && node.parent.name === node
      ? checker.getShorthandAssignmentValueSymbol(node.parent)
      : getSymbolAtLocation(node);
}
