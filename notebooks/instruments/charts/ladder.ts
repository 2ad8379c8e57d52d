import { now, type SentRequest } from '../experiment.js';
import type { LedgerRow } from '../ledger.js';
import { number } from '../table.js';
import { FAINT, INK } from '../technique.js';
import { type Chart, chart, tell } from './chart.js';

interface Ladder {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** The server's work, beside its line. */
  job?: { createdAt: string; finishedAt: string | null } | undefined;
}

/** How far apart two messages stand, and how many are drawn, so that their texts have room. */
const [STEP, MOST] = [34, 14];

/**
 * The messages between one client and the server, from the top down: an arrow for each request, and one for its response. Both
 * ends are measured: the client's by its own record, the server's by the ledger. The messages stand equally far apart, with
 * their times at the side, because a moment and an hour would not fit into one scale.
 *
 * @param sent the client's record, in the order of sending
 * @param seen the ledger's rows of the same requests, in the same order
 */
export function ladder(sent: SentRequest[], seen: LedgerRow[], { title, subtitle, job }: Ladder): Chart {
  const zero = Math.min(...sent.map(({ sentAt }) => sentAt));
  const seconds = (ms: number) => (ms - zero) / 1_000;
  const messages = sent.flatMap((row, i) => {
    const arrived = seen[i];
    if (!arrived) return []; // the server has not seen it
    const { method, route, arrivedAt, answeredAt } = arrived;
    const request = {
      from: 'client',
      to: 'server',
      leaves: row.sentAt,
      arrives: Date.parse(arrivedAt),
      says: `${method} ${route}`,
    };
    if (row.answeredAt === null || answeredAt === null) return [request];
    const response = {
      from: 'server',
      to: 'client',
      leaves: Date.parse(answeredAt),
      arrives: row.answeredAt,
      says: String(row.status),
    };
    return [request, response];
  });
  const inOrder = messages.sort((a, b) => a.leaves - b.leaves).slice(0, MOST);
  const data = inOrder.map(({ leaves, arrives, ...message }, row) => ({
    ...message,
    row,
    time: seconds(leaves).toFixed(3),
    leaves: seconds(leaves),
    arrives: seconds(arrives),
  }));
  // Where between two messages a moment is.
  const rowOf = (ms: number) => {
    const after = inOrder.findIndex(({ leaves }) => leaves >= ms);
    if (after === -1) return data.length - 0.5;
    const [before, next] = [inOrder[after - 1], inOrder[after]];
    return before && next ? after - 1 + (ms - before.leaves) / (next.leaves - before.leaves) : after;
  };
  const X = { client: 0, server: 1 };
  const ends = data.map((message) => ({
    ...message,
    x: X[message.from as keyof typeof X],
    toX: X[message.to as keyof typeof X],
    labelX: message.to === 'server' ? 0.02 : 0.98,
  }));
  const x = { type: 'quantitative', scale: { domain: [-0.04, 1.06], nice: false }, axis: null };
  const times = Object.fromEntries(data.map(({ row, time }) => [row, time]));
  const y = {
    type: 'quantitative',
    title: 'time (s)',
    scale: { domain: [-0.9, Math.max(1, data.length) - 0.3], reverse: true, nice: false },
    axis: {
      values: data.map(({ row }) => row),
      labelExpr: `${JSON.stringify(times)}[datum.value]`,
      grid: false,
      ticks: false,
      domain: false,
    },
  };
  const works = job && {
    data: {
      values: [
        { from: rowOf(Date.parse(job.createdAt)), to: rowOf(job.finishedAt ? Date.parse(job.finishedAt) : now()) },
      ],
    },
    mark: { type: 'rect', color: INK.quiet, x: { expr: "scale('x', 1) + 2" }, x2: { expr: "scale('x', 1) + 12" } },
    encoding: { y: { ...y, field: 'from' }, y2: { field: 'to' }, tooltip: { value: 'the job' } },
  };
  const tooltip = [
    { field: 'says', title: 'message' },
    { field: 'leaves', type: 'quantitative', format: '.3f', title: 'leaves (s)' },
    { field: 'arrives', type: 'quantitative', format: '.3f', title: 'arrives (s)' },
  ];
  const arrows = (to: 'client' | 'server', shape: string) => ({
    transform: [{ filter: `datum.to === '${to}'` }],
    mark: { type: 'point', shape, filled: true, size: 90, color: INK.text, opacity: 1, aria: false },
    encoding: { x: { ...x, field: 'toX' }, y: { ...y, field: 'row' }, tooltip },
  });
  const labels = (to: 'client' | 'server', align: 'left' | 'right') => ({
    transform: [{ filter: `datum.to === '${to}'` }],
    mark: { type: 'text', align, baseline: 'bottom', dy: -3, fontSize: 12 },
    encoding: { x: { ...x, field: 'labelX' }, y: { ...y, field: 'row' }, text: { field: 'says' } },
  });
  const head = { type: 'text', fontSize: 13, fontWeight: 'bold', baseline: 'top' };
  return chart({
    title,
    subtitle:
      [subtitle, messages.length > MOST && `the first ${MOST} of ${messages.length} messages`]
        .filter(Boolean)
        .join('; ') || undefined,
    data: ends,
    numbers: tell(
      data,
      ({ from, to, leaves, arrives, says }) =>
        `${from} to ${to} at ${number(leaves)} s, there at ${number(arrives)} s: ${says}`,
    ),
    body: {
      height: STEP * (data.length + 1),
      layer: [
        {
          data: { values: Object.entries(X).map(([who, x]) => ({ who, x })) },
          mark: { type: 'rule', color: INK.text, opacity: FAINT.rule, strokeWidth: 2 },
          encoding: { x: { ...x, field: 'x' }, tooltip: { field: 'who' } },
        },
        {
          data: { values: [{ who: 'client', x: 0 }] },
          mark: { ...head, dx: 6, align: 'left' },
          encoding: { x: { ...x, field: 'x' }, y: { value: 2 }, text: { field: 'who' } },
        },
        {
          data: { values: [{ who: 'server', x: 1 }] },
          mark: { ...head, dx: -6, align: 'right' },
          encoding: { x: { ...x, field: 'x' }, y: { value: 2 }, text: { field: 'who' } },
        },
        ...(works ? [works] : []),
        {
          mark: { type: 'rule', color: INK.text, strokeWidth: 1.5 },
          encoding: {
            x: { ...x, field: 'x' },
            x2: { field: 'toX' },
            y: { ...y, field: 'row' },
            tooltip,
          },
        },
        arrows('server', 'M-1,-0.6L0,0L-1,0.6Z'),
        arrows('client', 'M1,-0.6L0,0L1,0.6Z'),
        labels('server', 'left'),
        labels('client', 'right'),
      ],
    },
  });
}
