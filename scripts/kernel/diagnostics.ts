// What the compiler found wrong with a cell, as its reader sees it.
import type { Diagnostic } from './compiler.js';
import { settings } from './settings.js';
import { CompileError, excerpt } from './traceback.js';
import { chosen } from './typescript.js';

/** The category of a diagnostic that is an error: the others are suggestions. */
const ERROR = 1;
/**
 * "Cannot find name 'a'", the same with "Did you mean 'b'?", and "No value exists in scope for the shorthand property 'a'":
 * another cell may declare it.
 */
const UNKNOWN_NAMES = [2304, 2552, 18004];
/** Below this number are the errors of syntax. */
const AFTER_SYNTAX = 2000;
/**
 * What is newer than the compiler that tslab bundles, as it looks in a line with an error of syntax or in the message of
 * another error, and what to write instead.
 */
const NEWER: [looks: RegExp, instead: string][] = [
  [/\busing\s+[\w$]+\s*(=|\bof\b)/, '"using" is newer than TypeScript 5.0. Use try { … } finally { … }'],
  [/\bwith\s*\{\s*type\s*:/, 'Import attributes are newer than TypeScript 5.0. Leave out "with { … }"'],
  [/'(NoInfer|AsyncDisposable|Disposable)'/, 'This type is newer than TypeScript 5.0. Declare what you need of it'],
];
/** How many names are told. Of more, the number is. */
const MOST_NAMES = 12;

/**
 * Throws a {@link CompileError} if there are errors among the diagnostics. After a restart of the kernel, or when a cell is
 * run too early, each use of each name is an error of its own: those are told in one sentence, and the code once.
 *
 * @param name the cell's name, as in `cell [2]`.
 */
export function throwIfAny(diagnostics: readonly Diagnostic[], name: string, code: string): void {
  const errors = diagnostics.filter(({ category }) => category === ERROR);
  const unknown = errors.filter(({ code }) => UNKNOWN_NAMES.includes(code));
  const names = [...new Set(unknown.map(({ messageText }) => /'([^']+)'/.exec(messageText)?.[1] ?? ''))];
  const others = errors.filter((error) => !unknown.includes(error));
  const newer = errors.find((error) => newerThanCompiler(error, code));
  const first = newer ?? unknown[0] ?? others[0];
  if (!first) return;
  const message =
    names.length > 1 && !newer
      ? `${names.length} names are not known yet: ${listed(names)}`
      : `${first.messageText} (TS${first.code})`;
  const shown = newer ? [newer] : unknown.length > 0 ? [first, ...others] : others;
  const details = shown.flatMap((error, i) => [
    // The first message stands above.
    place(error, name) + (i === 0 ? '' : ` - ${error.messageText} (TS${error.code})`),
    ...(error.fileName ? [] : excerpt(code, error.start.line + 1, error.start.character + 1)),
  ]);
  const told = newer ? [newerThanCompiler(newer, code)!] : names.length > 1 ? RUN_THOSE_FIRST : hints(first);
  throw new CompileError(message, [...told, ...details]);
}

/** What to write instead of what only a newer compiler understands, if an error is about that. */
function newerThanCompiler(
  { start, fileName, code: number, messageText }: Diagnostic,
  code: string,
): string | undefined {
  if (chosen.isOwn || fileName !== undefined) return undefined;
  const text = number < AFTER_SYNTAX ? (code.split('\n')[start.line] ?? '') : messageText;
  const instead = NEWER.find(([looks]) => looks.test(text))?.[1];
  const own = `{ "${settings.metadataKey}": { "compiler": "typescript" } }`;
  return instead && `${instead}, or let your project's own TypeScript compile the cells: ${own} in its package.json.`;
}

const place = ({ fileName, start }: Diagnostic, name: string) =>
  `${fileName ?? name}, line ${start.line + 1}:${start.character + 1}`;

function listed(names: string[]): string {
  const rest = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return names.slice(0, MOST_NAMES).join(', ') + rest;
}

// Cells are run in any order, and forgotten by a restart. The menu is JupyterLab's.
const RUN_THAT_FIRST = ['If another cell declares it, run that one first: Run → Run All Above Selected Cell.'];
const RUN_THOSE_FIRST = ['If other cells declare them, run those first: Run → Run All Above Selected Cell.'];

/** What a reader of notebooks can do about an error that the compiler words for those who write programs. */
function hints({ code, messageText }: Diagnostic): string[] {
  if (UNKNOWN_NAMES.includes(code)) return RUN_THAT_FIRST;
  if (/^(Argument of type|Type) 'Promise<|on type 'Promise</.test(messageText)) return ['Is an "await" missing?'];
  return [];
}
