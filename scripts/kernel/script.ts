// Functions from compiled code.
import { Script } from 'node:vm';
import { CompileError, excerpt, registerSource, type Source } from './traceback.js';

/**
 * The function with these parameters whose body is `output`, compiled from `source`. Frames in the file `file` are shown in
 * the source. Throws a `CompileError` for what the compiler of TypeScript lets pass and V8 does not, such as `/(/`.
 */
export function makeFunction(
  file: string,
  source: Source,
  output: string,
  parameters: string,
  isAsync = false,
): unknown {
  const prefix = `(${isAsync ? 'async ' : ''}function (${parameters}) { `;
  registerSource(file, source);
  try {
    const columnOffset = -prefix.length; // of the first line
    return new Script(`${prefix}${output}\n})`, { filename: file, columnOffset }).runInThisContext();
  } catch (error) {
    throw toCompileError(error as Error, file, source, prefix);
  }
}

/** The place of V8's syntax errors stands above their stack: `file:line`, the line itself, and a caret below the column. */
function toCompileError({ message, stack }: Error, file: string, source: Source, prefix: string): CompileError {
  const [place = '', , carets = ''] = (stack ?? '').split('\n');
  const line = Number(place.slice(file.length + 1));
  if (!place.startsWith(file) || !(line > 0)) return new CompileError(message, [source.name]);
  const column = Math.max(0, carets.indexOf('^') - (line === 1 ? prefix.length : 0));
  const at = source.map({ line: line - 1, column });
  return new CompileError(message, [
    `${source.name}, line ${at.line + 1}:${at.column + 1}`,
    ...excerpt(source.text(), at.line + 1, at.column + 1),
  ]);
}
