// The tables of the bench, in Markdown.
import type { Name } from './measured-servers.js';
import { median } from './median.js';
import type { Line, Measured } from './rounds.js';

const number = (value: number) =>
  Math.abs(value) < 0.005 ? '0' : value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
const withUnit = (value: number, unit: string) =>
  unit.startsWith('/') ? number(value) + unit : `${number(value)} ${unit}`.trim();

/**
 * A table whose first `texts` columns are text and the others numbers. What the first column repeats is left out. Without
 * rows, nothing.
 */
export function markdown(head: string[], texts: number, rows: string[][]): string {
  if (rows.length === 0) return '';
  const rule = head.map((_, column) => (column < texts ? '---' : '--:'));
  const cells = rows.map(([first = '', ...others], n) => [n > 0 && rows[n - 1]?.[0] === first ? '' : first, ...others]);
  const line = (row: string[]) => `|${row.map((cell) => (cell === '' ? ' ' : ` ${cell} `)).join('|')}|`;
  return [head, rule, ...cells].map(line).join('\n');
}

const aimOf = ({ aim, more }: Line) => `${more ? '≥' : '≤'} ${aim}`;
const marked = (text: string, { met }: Line) => (met ? text : `${text} ✗`);

/** What this server is measured without, as the tables name it. */
const PARTS: [Name, string][] = [
  ['no-ledger', 'no ledger'],
  ['no-store', 'no durable store'],
  ['no-limits', 'no limits'],
  ['no-turns', 'no turns'],
  ['two-headers', 'two headers'],
  ['none-of-these', 'none of these'],
];

/** Who may be measured beside the floor and ours, and the columns' names. */
const COLUMNS: [Name, string][] = [['fastify', 'Fastify 5'], ['hono', 'Hono 4'], ['nchan', 'nginx + nchan'], ...PARTS];

/** Everything that is measured beside the floor: the floor's own value, and the ratio to it of each other server. */
export function peerTable(lines: Line[]): string {
  const beside = lines.filter(({ against }) => against?.name === 'floor');
  const columns = COLUMNS.filter(([server]) => beside.some(({ others }) => others[server] !== undefined));
  const rows = beside.map((line) => [
    line.about,
    line.what,
    `1 (${withUnit(line.against!.value, line.unit)})`,
    ...columns.map(([server]) => line.others[server]?.toFixed(2) ?? ''),
    marked(`**${line.ratio!.toFixed(2)}**`, line),
    line.spread!.map((ratio) => ratio.toFixed(2)).join(' to '),
    aimOf(line),
  ]);
  const others = columns.map(([, column]) => column);
  return markdown(['', '', 'bare node:http', ...others, 'ours', 'in each round', 'aim'], 2, rows);
}

/** What this server is compared with of its own, and what must be zero. */
export function ownTable(lines: Line[]): string {
  const rows = lines
    .filter(({ against }) => against?.name !== 'floor')
    .map((line) => [
      line.about,
      line.what,
      withUnit(line.ours, line.unit),
      line.against ? `${withUnit(line.against.value, line.unit)} (${line.against.name})` : '',
      marked(line.ratio?.toFixed(2) ?? number(line.ours), line),
      aimOf(line),
    ]);
  return markdown(['', '', 'ours', 'against', 'ratio', 'aim'], 2, rows);
}

/** The rows of the bill. Exported for its test. */
export const BILL = [
  { what: 'short poll', unit: 'µs', figure: 'poll' },
  { what: 'open a long poll', unit: 'µs', figure: 'arriving' },
  { what: 'an answer of a fan-out', unit: 'µs', figure: 'answering' },
  { what: 'time to the last answer', unit: 'ms', figure: 'ms' },
  { what: 'submit a job', unit: 'µs', figure: 'submitting' },
  { what: "a job's end and its answer", unit: 'µs', figure: 'ending' },
  { what: 'jobs ended and answered', unit: '/s', figure: 'perSecond' },
  { what: 'open a stream', unit: 'µs', figure: 'opening' },
  { what: 'a delivery', unit: 'µs', figure: 'us' },
  { what: 'the 99th of 100 deliveries', unit: 'ms', figure: 'p99' },
];

/** What each promise costs: the ratio to the bare server, of this server as it is, without one part of it, and without all of them. */
export function billTable(measured: Measured): string {
  const of = (server: Name, figure: string) => measured[server]!.map((figures) => figures[figure] as number);
  const rows = BILL.map(({ what, unit, figure }) => {
    const floor = of('floor', figure);
    const ratio = (server: Name) => median(of(server, figure).map((value, round) => value / floor[round]!)).toFixed(2);
    return [what, `1 (${withUnit(median(floor), unit)})`, ratio('ours'), ...PARTS.map(([server]) => ratio(server))];
  });
  return markdown(['', 'bare node:http', 'as it is', ...PARTS.map(([, name]) => name)], 1, rows);
}
