import { now, type SentRequest } from '../experiment.js';
import type { LedgerRow } from '../ledger.js';
import { number } from '../table.js';
import { COLORS, FAINT, INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, tell } from './chart.js';

interface Waterfall {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** When the job began and ended: a lane above the requests. It grows while `finishedAt` is null. */
  job?: { createdAt: string; finishedAt: string | null } | undefined;
}

/** Rows whose status is written beside them; with more, there is no room. */
const LABELLED = 30;

const JOB = 'job';

/**
 * The course's signature picture: a bar for every request, from its start to the end of its response, in the
 * order they were sent. Above them the job, and how much later a poll told of its end. Takes the client's record
 * (`run.rows`) or the ledger's (`seen.requests`).
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
    scale: { paddingInner: 0.3, domain: [...(job ? [JOB] : []), ...data.map(({ request }) => request)] },
    axis: { labelOverlap: true, ticks: false, domain: false },
  };
  const lanes = Math.max(1, data.length + (job ? 1 : 0));
  const height = Math.min(420, Math.max(60, 18 * lanes));
  const bars = {
    // A request that took a millisecond is still a request: the edge keeps it visible. Of a crowd it is thin, or it would be all.
    mark: { type: 'bar', strokeWidth: Math.min(2, (0.3 * height) / lanes), cornerRadius: 1 },
    encoding: {
      x: { field: 'start', type: 'quantitative', title: 'time (s)', axis: { tickCount: 8 } },
      x2: { field: 'end' },
      y,
      ...byTechnique(used),
      tooltip: [
        { field: 'request' },
        { field: 'technique' },
        { field: 'start', type: 'quantitative', format: '.3f', title: 'from (s)' },
        { field: 'end', type: 'quantitative', format: '.3f', title: 'to (s)' },
        { field: 'status' },
      ],
    },
  };
  const labels = {
    mark: { type: 'text', align: 'left', dx: 6, fontSize: 11, color: INK.text, opacity: FAINT.text },
    encoding: { x: { field: 'end', type: 'quantitative' }, y, text: { field: 'status' } },
  };
  const ended = job?.finishedAt ? Date.parse(job.finishedAt) : null;
  const told = ended === null ? undefined : tellingPoll(spans, ended);
  const late = ended !== null && told ? (told.end - ended) / 1_000 : null;
  return chart({
    title,
    subtitle,
    data,
    numbers: [
      tell(
        data,
        (bar) =>
          `request ${bar.request} (${bar.technique}) from ${number(bar.start)} s to ${number(bar.end)} s, ${bar.status}`,
      ),
      ...(ended === null ? [] : [`the job ended at ${number(seconds(ended))} s`]),
      ...(late === null ? [] : [`a poll told of it ${number(late)} s later`]),
    ].join('; '),
    margin: 40,
    body: {
      height,
      layer: [
        ...(job ? jobLane(seconds(Date.parse(job.createdAt)), seconds(ended ?? now()), late, y) : []),
        bars,
        ...(data.length <= LABELLED ? [labels] : []),
      ],
    },
  });
}

/** The job from one time to another, in seconds, and then for how long no client knew that it had ended; null if no poll told. */
function jobLane(from: number, to: number, late: number | null, y: object) {
  const data = { values: [{ request: JOB, from, to, told: to + (late ?? 0), late: `late ${number(late ?? 0)} s` }] };
  const bar = (start: string, end: string) => ({
    x: { field: start, type: 'quantitative' },
    x2: { field: end },
    y,
  });
  const lane = { data, mark: { type: 'rect', color: INK.quiet }, encoding: bar('from', 'to') };
  if (late === null) return [lane];
  return [
    lane,
    {
      data,
      mark: { type: 'rect', color: INK.text, fillOpacity: FAINT.span, stroke: INK.text, strokeDash: [2, 2] },
      encoding: bar('to', 'told'),
    },
    {
      data,
      mark: { type: 'text', align: 'left', dx: 6, fontSize: 11, fontWeight: 'bold' },
      encoding: { x: { field: 'told', type: 'quantitative' }, y, text: { field: 'late' } },
    },
  ];
}

/** The poll that told of the job's end. A stream tells in an event, which has no row. */
const tellingPoll = (spans: Span[], ended: number) =>
  spans.find(
    ({ technique, status, start, end }) =>
      status === 200 && end >= ended && (technique === 'long-poll' || (technique === 'short-poll' && start >= ended)),
  );

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
