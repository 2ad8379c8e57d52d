// Makes a cell stoppable.
//
// JavaScript has no way to end a function from outside. Cutting it off in the middle (V8's
// TerminateExecution) skips its `finally`, and breaks Node where it comes after an `await`; and a loop
// that polls, once its cell was given up, would go on polling unseen. So the code of cells, and of the
// TypeScript files that they import, is given places where it looks whether it should end:
//
//     await x              ->  await __await(x)
//     for await (… of x)   ->  for await (… of __await.each(x))
//     for (…) { … }        ->  for (…) { if (__stop[0]) __await.stop(); … }
//
// What ends there is an exception like any other. `awaits.ts` is the other half.
import type { Node } from '@tslab/typescript-for-tslab';
import { ts } from './typescript.js';

// Each works without us too: a function from a cell may be sent elsewhere as text, as Playwright's
// `page.evaluate` does.
const AWAIT = '(globalThis.__await??(x=>x))(';
const EACH = '(globalThis.__await?.each??(x=>x))(';
const CHECK = 'if(globalThis.__stop?.[0])__await.stop();';

interface Insertion {
  line: number;
  column: number;
  length: number;
}

export interface Instrumented {
  code: string;
  /** From a column of a line in `code` (both count from 0) to the column before. */
  original: (line: number, column: number) => number;
}

export function instrument(javascript: string): Instrumented {
  // As a script's own, `await (x)` would be a call.
  const opening = 'async()=>{';
  const text = `${opening}${javascript}\n}`;
  const file = ts.createSourceFile('cell.js', text, ts.ScriptTarget.ES2022);
  const inserts: { at: number; text: string }[] = [];
  const insert = (at: number, added: string) => inserts.push({ at: at - opening.length, text: added });
  const enclose = (node: Node, before: string, after: string) => {
    insert(node.getStart(file), before);
    insert(node.end, after);
  };
  const visit = (node: Node): void => {
    if (ts.isAwaitExpression(node)) enclose(node.expression, AWAIT, ')');
    if (ts.isForOfStatement(node) && node.awaitModifier) {
      enclose(node.expression, EACH, ')');
    }
    if (ts.isIterationStatement(node, false)) {
      if (ts.isBlock(node.statement)) {
        insert(node.statement.getStart(file) + 1, CHECK);
      } else enclose(node.statement, `{${CHECK}`, '}');
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  // Stable: of those at one place, the closing ones come in the order from inside out.
  inserts.sort((a, b) => a.at - b.at);
  return splice(javascript, inserts);
}

function splice(text: string, inserts: readonly { at: number; text: string }[]): Instrumented {
  const insertions: Insertion[] = [];
  let code = '';
  let done = 0;
  let line = 0;
  let lineStart = 0;
  const copy = (to: number) => {
    for (let i = text.indexOf('\n', done); i >= 0 && i < to; i = text.indexOf('\n', i + 1)) {
      line += 1;
      lineStart = code.length + i - done + 1;
    }
    code += text.slice(done, to);
    done = to;
  };
  for (const { at, text: added } of inserts) {
    copy(at);
    insertions.push({ line, column: code.length - lineStart, length: added.length });
    code += added;
  }
  copy(text.length);
  const original = (atLine: number, column: number) => {
    let shift = 0;
    for (const { line, column: from, length } of insertions) {
      if (line === atLine && from <= column) shift += Math.min(length, column - from);
    }
    return column - shift;
  };
  return { code, original };
}
