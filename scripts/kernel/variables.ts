// The variables of the cells in the JavaScript that runs: a cell's variables are exports of its module, and the cells
// after it read and write them as `exports.name`.
import type {
  Expression,
  Identifier,
  Node,
  SourceFile,
  Statement,
  TransformerFactory,
  Symbol as TsSymbol,
  TypeChecker,
  Visitor,
} from '@tslab/typescript-for-tslab';
import { localsOf } from './declarations.js';
import { ts } from './typescript.js';

/**
 * Writes each variable of an earlier cell as `exports.name`, and exports the value of the last expression. `earlier`
 * declares those variables; `own` are the names that the cell declares; `setLast` is told how the last value is called.
 */
export function variables(
  checker: TypeChecker,
  earlier: SourceFile,
  own: ReadonlySet<string>,
  setLast: (name: string) => void,
): TransformerFactory<SourceFile> {
  const locals = localsOf(earlier);
  const { resolveName } = checker as TypeChecker & {
    resolveName(name: string, at: Node | undefined, meaning: number, excludeGlobals: boolean): TsSymbol | undefined;
  };

  const isEarlier = (node: Identifier): boolean => {
    const variable = locals.get(node.text);
    if (!variable) return false;
    const parsed = ts.getParseTreeNode(node, ts.isIdentifier);
    const { parent } = parsed ?? node;
    if (parsed && parent && ts.isShorthandPropertyAssignment(parent) && parent.name === parsed) {
      return checker.getShorthandAssignmentValueSymbol(parent) === variable;
    }
    const symbol = parsed && checker.getSymbolAtLocation(parsed);
    if (symbol) return symbol === variable;
    // What the compiler adds: `React` for JSX, the types of parameters for decorators.
    const place = ts.getParseTreeNode(parent ?? node);
    return place !== undefined && resolveName(node.text, place, ts.SymbolFlags.Value, true) === variable;
  };

  return (context) => {
    const { factory } = context;
    const visit: Visitor = (node) => {
      if (ts.isPropertyAccessExpression(node)) {
        const object = ts.visitNode(node.expression, visit) as Expression;
        return object === node.expression ? node : factory.updatePropertyAccessExpression(node, object, node.name);
      }
      if (ts.isShorthandPropertyAssignment(node)) {
        const { name, objectAssignmentInitializer: initializer } = node;
        const value = visit(name) as Expression;
        if (value === name) return ts.visitEachChild(node, visit, context);
        // `({ a = 1 } = {})` assigns to the variable as well.
        const assigned = initializer
          ? factory.createAssignment(value, ts.visitNode(initializer, visit) as Expression)
          : value;
        return factory.createPropertyAssignment(name, assigned);
      }
      if (!ts.isIdentifier(node)) return ts.visitEachChild(node, visit, context);
      return isEarlier(node) ? factory.createPropertyAccessExpression(factory.createIdentifier('exports'), node) : node;
    };
    return (file) => exportLast(ts.visitEachChild(file, visit, context), own, setLast);
  };
}

function exportLast(file: SourceFile, own: ReadonlySet<string>, setLast: (name: string) => void): SourceFile {
  const { factory } = ts;
  const at = file.statements.findLastIndex((statement) => !ts.isExportDeclaration(statement));
  const last = file.statements[at];
  if (!last || !ts.isExpressionStatement(last)) return file;
  let name = 'tsLastExpr';
  for (let i = 0; own.has(name); i++) name = `tsLastExpr${i}`;
  setLast(name);
  const variable = factory.createVariableDeclaration(name, undefined, undefined, last.expression);
  const exported: Statement = factory.createVariableStatement(
    [factory.createModifier(ts.SyntaxKind.ExportKeyword)],
    factory.createVariableDeclarationList([variable], ts.NodeFlags.Const),
  );
  return factory.updateSourceFile(file, [...file.statements.slice(0, at), exported, ...file.statements.slice(at + 1)]);
}

/** Writes `import(x)` as a call of the function that `modules.ts` gives: CommonJS would make it a `require`. */
export function imports(): TransformerFactory<SourceFile> {
  return (context) => {
    const visit: Visitor = (node) => {
      if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) {
        return ts.visitEachChild(node, visit, context);
      }
      const args = node.arguments.map((argument) => ts.visitNode(argument, visit) as Expression);
      return context.factory.createCallExpression(context.factory.createIdentifier('__import'), undefined, args);
    };
    return (file) => ts.visitEachChild(file, visit, context);
  };
}
