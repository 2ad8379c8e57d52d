import { show } from './display.js';
import { visible } from './visible.js';

type Cell = string | number | null;

/** A row of a table: a cell under each name. */
export type TableRow = Record<string, Cell>;

/**
 * Shows rows as a table, under the names of their members. Numbers are set to the right.
 *
 * @example table([{ status: 200, 'bytes out': 512 }, { status: 304, 'bytes out': 180 }], 'The weight of a poll');
 */
export function table(rows: TableRow[], caption = ''): void {
  show({ 'text/html': htmlTable(rows, caption), 'text/plain': textTable(rows, caption) });
}

export function htmlTable(rows: TableRow[], caption = ''): string {
  const names = Object.keys(rows[0] ?? {});
  const align = (name: string) => (typeof rows[0]?.[name] === 'number' ? 'right' : 'left');
  const style = (name: string) => `style="text-align:${align(name)}"`;
  // A column without a name has no header: a screen reader would announce an empty one.
  const head = names.map((name) =>
    name ? `<th scope="col" ${style(name)}>${escaped(visible(name))}</th>` : '<td></td>',
  );
  const cells = (row: TableRow) => names.map((name) => `<td ${style(name)}>${escaped(shown(row[name]))}</td>`);
  const body = rows.map((row) => `<tr>${cells(row).join('')}</tr>`);
  const title = caption && `<caption style="caption-side:top;text-align:left">${escaped(visible(caption))}</caption>`;
  return `<table>${title}<thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

export function textTable(rows: TableRow[], caption = ''): string {
  const names = Object.keys(rows[0] ?? {});
  const lines = [names.map(visible), ...rows.map((row) => names.map((name) => shown(row[name])))];
  const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [...(caption ? [visible(caption)] : []), ...text.map((line) => line.trimEnd())].join('\n');
}

const shown = (value: Cell | undefined) => (typeof value === 'number' ? number(value) : visible(value ?? '–'));

/** A number as a reader wants it: thousands set apart, three significant digits where there is a fraction. */
export function number(value: number): string {
  const fraction = Math.abs(value) < 100 && !Number.isInteger(value);
  return value.toLocaleString('en-US', fraction ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });
}

/** Text made safe to stand in HTML. */
export const escaped = (text: string) => text.replace(/[&<>"]/g, (char) => ENTITIES[char] as string);
const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
