import { now, type SentRequest } from '../experiment.js';
import type { LedgerRow } from '../ledger.js';
import { number } from '../table.js';
import { COLORS, INK, type Technique } from '../technique.js';
import { type Chart, chart, tell } from './chart.js';

interface Waterfall {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** When the job began and ended, drawn behind the requests. Open at the right while `finishedAt` is null. */
  job?: { createdAt: string; finishedAt: string | null } | undefined;
}

/** Rows whose status is written beside them; with more, there is no room. */
const LABELLED = 30;

/**
 * The course's signature picture: a bar for every request, from its start to the end of its response, in the
 * order they were sent. Takes the client's record (`run.rows`) or the ledger's (`seen.requests`).
 */
export function waterfall(rows: (SentRequest | LedgerRow)[], { title, subtitle, job }: Waterfall): Chart {
  const spans = rows.map(span);
  const zero = Math.min(...spans.map(({ start }) => start), ...(job ? [Date.parse(job.createdAt)] : []));
  const seconds = (ms: number) => (ms - zero) / 1_000;
  const data = spans.map(({ technique, start, end, status }, i) => ({
    request: i + 1,
    technique,
    start: seconds(start),
    end: seconds(end),
    status,
  }));
  const used = (Object.keys(COLORS) as Technique[]).filter((name) => data.some(({ technique }) => technique === name));
  const y = {
    field: 'request',
    type: 'ordinal',
    title: 'request',
    scale: { paddingInner: 0.3 },
    axis: { labelOverlap: true, ticks: false, domain: false },
  };
  const color = {
    field: 'technique',
    scale: { domain: used, range: used.map((name) => COLORS[name]) },
  };
  const bars = {
    // A request that took a millisecond is still a request: the stroke keeps it visible.
    mark: { type: 'bar', strokeWidth: 2, cornerRadius: 1, tooltip: true },
    encoding: {
      x: { field: 'start', type: 'quantitative', title: 'time (s)', axis: { tickCount: 8 } },
      x2: { field: 'end' },
      y,
      color,
      stroke: color,
    },
  };
  const labels = {
    mark: { type: 'text', align: 'left', dx: 6, fontSize: 11, color: INK.prediction },
    encoding: { x: { field: 'end', type: 'quantitative' }, y, text: { field: 'status' } },
  };
  const behind = job && {
    data: {
      values: [
        {
          from: seconds(Date.parse(job.createdAt)),
          to: seconds(job.finishedAt ? Date.parse(job.finishedAt) : now()),
        },
      ],
    },
    mark: { type: 'rect', color: INK.job, opacity: 0.5 },
    encoding: { x: { field: 'from', type: 'quantitative' }, x2: { field: 'to' } },
  };
  return chart({
    title,
    subtitle: [subtitle, job && 'gray: the job'].filter(Boolean).join('; ') || undefined,
    data,
    numbers: tell(
      data,
      (bar) =>
        `request ${bar.request} (${bar.technique}) from ${number(bar.start)} s to ${number(bar.end)} s, ${bar.status}`,
    ),
    body: {
      height: Math.min(420, Math.max(60, 18 * data.length)),
      layer: [...(behind ? [behind] : []), bars, ...(data.length <= LABELLED ? [labels] : [])],
    },
  });
}

interface Span {
  technique: Technique;
  start: number;
  end: number;
  status: number | 'open' | 'cut';
}

function span(row: SentRequest | LedgerRow): Span {
  const { technique } = row;
  // A request that ended without an answer was cut: by the client, or by something in between.
  const status = row.status ?? (row.endedAt === null ? 'open' : 'cut');
  if ('sentAt' in row) return { technique, status, start: row.sentAt, end: row.endedAt ?? row.answeredAt ?? now() };
  return {
    technique,
    status,
    start: Date.parse(row.arrivedAt),
    end: row.endedAt ? Date.parse(row.endedAt) : now(),
  };
}
