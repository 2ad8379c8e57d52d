// What an editor asks while the reader types. Positions on the wire count characters (code points);
// JavaScript's strings count UTF-16 units.
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

export function complete(compiler: Compiler, content: Content): Content {
  const code = String(content.code);
  const found = compiler.complete(code, toUnits(code, Number(content.cursor_pos)));
  const kinds = new Map(found.original?.entries.map((entry) => [entry.name, entry.kind]));
  const cursor_start = toCodePoints(code, found.start);
  const cursor_end = toCodePoints(code, found.end);
  return {
    status: 'ok',
    matches: found.candidates,
    cursor_start,
    cursor_end,
    metadata: {
      // Lab shows the kind beside each name: https://ipython.readthedocs.io (experimental, but stable)
      _jupyter_types_experimental: found.candidates.map((text) => ({
        start: cursor_start,
        end: cursor_end,
        text,
        type: kinds.get(text) ?? '',
      })),
    },
  };
}

export function inspectCode(compiler: Compiler, content: Content): Content {
  const code = String(content.code);
  const info = compiler.inspect(code, toUnits(code, Number(content.cursor_pos)));
  const data = info ? { 'text/plain': printQuickInfo(info) } : {};
  return { status: 'ok', found: info !== undefined, data, metadata: {} };
}

export function isComplete(content: Content): Content {
  const code = String(content.code);
  const { completed, indent = '' } = isCompleteCode(code);
  if (!completed) return { status: 'incomplete', indent };
  const { diagnostics = [] } = ts.transpileModule(code, {
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  return { status: diagnostics.length > 0 ? 'invalid' : 'complete' };
}
