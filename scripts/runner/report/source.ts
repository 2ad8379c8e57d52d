import { plain } from '../../shared/visible.mjs';
import type { Notebook } from '../notebook.js';
import type { Failure } from '../result.js';

/** `cell 12 of 40`, as a person counts. */
export function cellName(index: number, notebook: Notebook): string {
  return `cell ${index + 1} of ${notebook.cells.length}`;
}

/** The cell's source with line numbers and a mark at the failing line. Of a long cell, only the lines around it. */
export function markedSource(source: string, line: number | null, around = 8): string[] {
  const lines = source.split('\n');
  const from = line === null ? 1 : Math.max(1, line - around);
  const to = line === null ? 2 * around : line + around;
  const width = String(Math.min(to, lines.length)).length;
  const shown = lines.slice(from - 1, to).map((text, offset) => {
    const number = from + offset;
    const mark = number === line ? '→' : ' ';
    return `${mark} ${String(number).padStart(width)} │ ${text}`.trimEnd();
  });
  const more = '  ⋮';
  return [...(from > 1 ? [more] : []), ...shown, ...(to < lines.length ? [more] : [])];
}

/** The failure's traceback without colors. */
export function tracebackText(failure: Failure): string {
  return plain(failure.traceback.join('\n')).trim();
}
