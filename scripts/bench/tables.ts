// The tables of the bench, in Markdown.
import type { Name } from './measured-servers.js';
import { type Line, type Measured, median } from './rounds.js';

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

const COLUMNS = { fastify: 'Fastify 5', hono: 'Hono 4', nchan: 'nginx + nchan' };

/** Everything that is measured beside the floor: the floor's own value, and the ratio to it of each other server. */
export function peerTable(lines: Line[]): string {
  const beside = lines.filter(({ against }) => against?.name === 'floor');
  const servers = (Object.keys(COLUMNS) as (keyof typeof COLUMNS)[]).filter((server) =>
    beside.some(({ others }) => others[server] !== undefined),
  );
  const rows = beside.map((line) => [
    line.about,
    line.what,
    `1 (${withUnit(line.against!.value, line.unit)})`,
    ...servers.map((server) => line.others[server]?.toFixed(2) ?? ''),
    marked(`**${line.ratio!.toFixed(2)}**`, line),
    aimOf(line),
  ]);
  return markdown(['', '', 'bare node:http', ...servers.map((server) => COLUMNS[server]), 'ours', 'aim'], 2, rows);
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
  { what: 'short poll: CPU per request', unit: 'µs', figure: 'poll' },
  { what: 'submit: CPU per job', unit: 'µs', figure: 'submitting' },
  { what: 'long poll: CPU to open one', unit: 'µs', figure: 'arriving' },
  { what: "a job's end and the answer to its long poll: CPU", unit: 'µs', figure: 'answering' },
  { what: 'memory per waiter and its job', unit: 'KiB', figure: 'kib' },
  { what: 'stream: CPU to open one', unit: 'µs', figure: 'opening' },
  { what: 'CPU per delivery', unit: 'µs', figure: 'us' },
  { what: 'memory per stream', unit: 'KiB', figure: 'streamKib' },
];

/** What the ledger and the durable store cost: this server with both, and what is left of each figure without them. */
export function billTable(measured: Measured): string {
  const of = (server: Name, figure: string) => measured[server]!.map((figures) => figures[figure] as number);
  const without = ['no ledger', 'no store', 'neither'] as const;
  const rows = BILL.map(({ what, unit, figure }) => {
    const ours = of('ours', figure);
    return [
      what,
      withUnit(median(ours), unit),
      ...without.map((server) => {
        const change = median(of(server, figure).map((value, round) => value / ours[round]! - 1));
        return `${withUnit(median(of(server, figure)), unit)} (${change < 0 ? '−' : '+'}${Math.abs(100 * change).toFixed(0)} %)`;
      }),
    ];
  });
  return markdown(['', 'as it is', 'without the ledger', 'without the durable store', 'without either'], 1, rows);
}
