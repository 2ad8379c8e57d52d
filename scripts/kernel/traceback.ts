// From whatever was thrown to what the reader sees: the lines they wrote, with the code around.
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { inspect } from 'node:util';
import { awaitsOf } from './awaits.js';
import type { Mapper } from './compiler.js';
import type { Header } from './protocol.js';
import { settings } from './settings.js';

/** A source that frames can point into: a cell, or a TypeScript file that a cell imported. */
export interface Source {
  name: string;
  text: () => string;
  map: Mapper;
}

/** The members of Jupyter's `error` message. */
export interface ErrorContent extends Record<string, unknown> {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** Code that does not compile. `details` are lines below the message, such as the code at fault: the stack says nothing. */
export class CompileError extends Error {
  readonly #brand = true;

  constructor(
    message: string,
    readonly details: string[],
  ) {
    super(message);
    this.name = 'CompileError';
  }

  /** Not by the name, which errors of WebAssembly share; nor by `instanceof`, which a proxy may answer with an error. */
  static is(value: unknown): value is CompileError {
    return typeof value === 'object' && value !== null && #brand in value;
  }
}

/** Carries an error that is described already to the end of a cell. */
export class StrayError extends Error {
  readonly #brand = true;
  /** `from`: the cell that caused it, where that is not the cell that fails with it; null if it is unknown. */
  constructor(
    readonly content: ErrorContent,
    readonly from?: Header | null,
  ) {
    super(content.evalue);
    this.name = content.ename;
  }

  /** Not `instanceof`, which a proxy may answer with an error. */
  static is(value: unknown): value is StrayError {
    return typeof value === 'object' && value !== null && #brand in value;
  }
}

const CONTEXT_LINES = 2;
const MAX_FRAMES = 10;
const MAX_LINE = 300;
/** How many cells and files errors are shown in. Of more, the oldest cells are forgotten. */
const MAX_SOURCES = 1000;
/** Frames of files that are shown below those of the cells. */
const MAX_FILE_FRAMES = 4;
const MAX_CAUSES = 5;
const MAX_TEXT = 20_000;
const UNSHOWN = '[a value that cannot be shown]';

const red = (text: string) => `\x1b[31m${text}\x1b[39m`;
/** Bold and red together are JupyterLab's dark red, which cannot be read on the dark red of its error boxes. */
const bold = (text: string) => `\x1b[1m${text}\x1b[22m`;

const sources = new Map<string, Source>();

/** From now on, frames in the JavaScript `file` are shown in `source`. */
export function registerSource(file: string, source: Source): void {
  sources.set(file, source);
  if (sources.size <= MAX_SOURCES) return;
  for (const oldest of sources.keys()) {
    if (isCell(oldest)) {
      sources.delete(oldest);
      return;
    }
  }
}

/**
 * Makes every `stack` name the places the reader wrote, also where a cell prints it itself.
 * https://v8.dev/docs/stack-trace-api#customizing-stack-traces
 */
export function installStackTraces(kernelFolder: string): void {
  const own = [kernelFolder + sep, `${sep}tslab${sep}dist${sep}`];
  const bottom = [join(kernelFolder, 'execution.ts'), join(kernelFolder, 'cell.ts')]; // what calls cells
  Error.stackTraceLimit = 50; // a library's own frames must not push the cell's out
  Error.prepareStackTrace = (error, sites) => {
    const lines = [describe(error)];
    for (const site of sites) {
      const file = site.getFileName() ?? '';
      if (bottom.includes(file) && lines.length > 1) break;
      if (own.some((part) => file.includes(part))) continue;
      const source = sources.get(file);
      const line = site.getLineNumber();
      const column = site.getColumnNumber();
      let text = String(site);
      if (source && line && column) {
        const at = source.map({ line: line - 1, column: column - 1 });
        text = text.replace(`${file}:${line}:${column}`, `${source.name}:${at.line + 1}:${at.column + 1}`);
      }
      lines.push(`    at ${text}`);
    }
    return lines.join('\n');
  };
}

/** Reads from an object that may be a trap: a proxy, a throwing getter. */
function read(from: unknown, key: string): unknown {
  try {
    return (from as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function describe(error: unknown): string {
  const name = read(error, 'name') || 'Error';
  const message = read(error, 'message');
  return message ? `${name}: ${message}` : String(name);
}

function show(value: unknown): string {
  try {
    return inspect(value);
  } catch {
    return UNSHOWN;
  }
}

const clip = (text: string) =>
  text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length} characters)` : text;

/** What `value`, thrown or rejected with, is in Jupyter's terms. Never throws itself: its caller could not reply. */
export function toErrorContent(value: unknown): ErrorContent {
  try {
    if (StrayError.is(value)) return value.content;
    if (!isError(value)) return nonError(clip(show(value)));
    const ename = String(read(value, 'name') || 'Error');
    const evalue = clip(String(read(value, 'message') ?? ''));
    return { ename, evalue, traceback: [...render(value), ...remedyFor(value)].map(clip) };
  } catch {
    return nonError(UNSHOWN); // a trap that `read` does not meet
  }
}

/** Lines with the project's advice for `error`, to show below the stack. Empty if its helper has no advice, or throws. */
function remedyFor(error: Error): string[] {
  try {
    const helper = (globalThis as Record<symbol, unknown>)[Symbol.for(settings.remedySymbol)];
    const remedy: unknown = typeof helper === 'function' ? helper(error) : undefined;
    return typeof remedy === 'string' && remedy !== '' ? ['', remedy] : [];
  } catch {
    return [];
  }
}

function nonError(evalue: string): ErrorContent {
  const hint = 'Thrown was no Error, so there is no stack to show where.';
  return { ename: 'NonError', evalue, traceback: [`${bold('NonError')}: ${evalue}`, hint] };
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function render(error: Error, depth = 0): string[] {
  const name = String(read(error, 'name') || 'Error');
  const message = String(read(error, 'message') ?? '');
  const lines = [bold(name) + (message ? `: ${message}` : '')];
  if (CompileError.is(error)) lines.push(...error.details);
  // Of what was stopped only the cells are of interest: what a helper did at that moment is no fault to look for.
  else lines.push(...renderFrames(stackOf(error), name === 'KeyboardInterrupt'), ...renderMembers(error));

  const inner = read(error, 'errors');
  const within = Array.isArray(inner) ? inner.slice(0, MAX_CAUSES) : [];
  if ('cause' in error) within.push(read(error, 'cause'));
  for (const cause of within) {
    const label = cause === read(error, 'cause') ? 'Caused by ' : 'One of its errors: ';
    if (depth >= MAX_CAUSES) lines.push(`${label}…`);
    else if (isError(cause)) lines.push('', ...prefixFirst(label, render(cause, depth + 1)));
    else lines.push('', label + show(cause));
  }
  return lines;
}

function prefixFirst(label: string, [first = '', ...rest]: string[]): string[] {
  return [label + first, ...rest];
}

/** Members such as `code: 'ECONNREFUSED'`. */
function renderMembers(error: Error): string[] {
  const known = new Set(['name', 'message', 'stack', 'cause', 'errors']);
  const members: Record<string, unknown> = {};
  for (const key of Object.keys(error)) if (!known.has(key)) members[key] = read(error, key);
  return Object.keys(members).length > 0 ? [`  ${show(members).replaceAll('\n', '\n  ')}`] : [];
}

/** Its own stack, and where the cells awaited it, as far as that does not stand in it yet. */
function stackOf(error: Error): string {
  const lines = String(read(error, 'stack') ?? '').split('\n');
  const at = (line: string) => FRAME.exec(line)?.slice(3, 5).join(':');
  const known = new Set(lines.map(at));
  return [...lines, ...awaitsOf(error).filter((line) => !known.has(at(line)))].join('\n');
}

const FRAME = /^\s+at (?:(async )?(.*) \()?(?:async )?(.*?):(\d+):(\d+)\)?$/;

/** A place in the stack. */
interface Frame {
  name: string;
  file: string;
  row: number;
  column: number;
  /** Of a recursion: how often the frame follows itself. */
  times: number;
  isInnermost: boolean;
}

/**
 * The cells' own frames first, with the code around them: that is where a reader can change something. Below them the files
 * that the cells imported, a line each, and of the file that threw the line of code.
 */
function renderFrames(stack: string, onlyCells: boolean): string[] {
  const frames = framesOf(stack);
  const cells = frames.filter(({ file }) => isCell(file));
  const files = onlyCells ? [] : frames.filter(({ file }) => !isCell(file));
  return [
    ...cells
      .slice(0, MAX_FRAMES)
      .flatMap((frame) => [
        placeOf(frame),
        ...excerpt(textOf(frame.file) ?? '', frame.row, frame.column),
        ...(frame.times > 1 ? [`      (${frame.times} times)`] : []),
      ]),
    ...(cells.length > MAX_FRAMES ? ['  …'] : []),
    ...files.slice(0, MAX_FILE_FRAMES).flatMap((frame) => {
      const place = `${frame.isInnermost ? 'Thrown in' : 'Called from'} ${placeOf(frame)}`;
      const [line] = frame.isInnermost ? excerpt(ownTextOf(frame.file) ?? '', frame.row, frame.column, 0) : [];
      return line === undefined ? [place] : [place, line];
    }),
    ...(files.length > MAX_FILE_FRAMES ? ['  …'] : []),
  ];
}

function framesOf(stack: string): Frame[] {
  const frames: Frame[] = [];
  let last = '';
  for (const line of stack.split('\n')) {
    const [, , name = '', file = '', row = '', column = ''] = FRAME.exec(line) ?? [];
    // Node's own machinery is not where the reader looks for the fault.
    if (file === '' || file.startsWith('node:')) continue;
    const before = frames.at(-1);
    if (before && line === last) {
      before.times += 1;
      continue;
    }
    last = line;
    const path = file.replace(/^file:\/\//, '');
    frames.push({ name, file: path, row: Number(row), column: Number(column), times: 1, isInnermost: !before });
  }
  return frames;
}

function placeOf({ file, row, name }: Frame): string {
  const isOwn = !isCell(file) && ownTextOf(file) !== undefined;
  const place = isOwn ? relative(process.cwd(), file) : file.slice(Math.max(0, file.lastIndexOf('node_modules/')));
  return `${place}, line ${row}${name && name !== 'eval' ? `, in ${name}` : ''}`;
}

/** The text of a file that is no package's. */
const ownTextOf = (file: string) => (file.includes('/node_modules/') ? undefined : textOf(file));

const isCell = (name: string) => name.startsWith('cell [');

/** The name of the cell whose code the error came from, the outermost if there are several; '' if there is none. */
export function cellOf(error: unknown): string {
  let name = '';
  const stack = read(error, 'stack');
  if (typeof stack !== 'string') return name;
  for (const line of stack.split('\n')) {
    const file = FRAME.exec(line)?.[3] ?? '';
    if (isCell(file)) name = file;
  }
  return name;
}

function textOf(name: string): string | undefined {
  for (const source of sources.values()) if (source.name === name) return source.text();
  try {
    return readFileSync(name, 'utf8');
  } catch {
    return undefined;
  }
}

/** The line with its neighbors and an arrow, as IPython shows it. Lines and columns count from 1. */
export function excerpt(text: string, line: number, column: number, neighbors = CONTEXT_LINES): string[] {
  const all = text.split('\n');
  const from = Math.max(1, line - neighbors);
  const to = Math.min(all.length, line + neighbors);
  const width = String(to).length;
  const lines: string[] = [];
  for (let number = from; number <= to; number++) {
    const whole = all[number - 1] ?? '';
    // Of a long line, such as one of minified code, the part around the column.
    const start = number === line && column > MAX_LINE ? column - MAX_LINE / 2 : 0;
    const code = `${start > 0 ? '…' : ''}${whole.slice(start, start + MAX_LINE)}${whole.length > start + MAX_LINE ? '…' : ''}`;
    const label = String(number).padStart(width);
    if (number !== line) lines.push(`      ${label} | ${code}`);
    else {
      lines.push(`${red(`----> ${label} |`)} ${code}`);
      const at = column - start + (start > 0 ? 1 : 0);
      const indent = code.slice(0, at - 1).replace(/[^\t]/g, ' ');
      if (at > 0 && at <= code.length) {
        lines.push(`      ${' '.repeat(width)} | ${indent}${red('^')}`);
      }
    }
  }
  return lines;
}
