import { now, type SentRequest } from '../experiment.js';
import type { Step } from '../job-progress.js';
import type { LedgerRow } from '../ledger.js';
import { number } from '../table.js';
import { COLORS, FAINT, INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, tell } from './chart.js';
import { cameTo, jobBar, percent, type Stair, stairsOf } from './job-bar.js';
import { EDGE, laneAxis, lanesOf, roomBehind, shortOfNext } from './lanes.js';

type Row = SentRequest | LedgerRow;

interface Job {
  createdAt: string;
  finishedAt: string | null;
  /** How far it had come at which time, if that is known; `withProgress` reads it from the job's events. */
  steps?: Step[];
}

interface Waterfall {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /**
   * When the job began and ended, or several: lanes above the clients. A job grows while its `finishedAt` is null, and is filled
   * as high as it had come where its steps are known.
   */
  job?: Job | Job[] | undefined;
  /**
   * Each client's time begins with its own first request, so that clients that ran one after the other can be compared. Default:
   * false. Cannot be combined with `job`, whose time all clients share.
   */
  fromOwnStart?: boolean;
}

/** With more lanes, nothing is written beside them: there is no room. */
const LABELLED = 30;
/** The width of a status and the space beside it, in pixels. */
const STATUS = 36;

/**
 * The course's signature picture: a lane for each client, and on it a bar for every request, from its start to the end of its
 * response. Above them the job, how much later a poll told of its end, and how it went on after its request was cut: hatched.
 * Takes the client's record (`run.rows`) or the ledger's (`seen.requests`), or those of several clients by their names. In the
 * rows of one record, what was open at the same time came from several clients.
 */
export function waterfall(
  rows: Row[] | Record<string, Row[]>,
  { title, subtitle, job, fromOwnStart = false }: Waterfall,
): Chart {
  if (job && fromOwnStart)
    throw new Error('expected a job or "fromOwnStart", got both: all clients share the time of a job');
  const named = Array.isArray(rows) ? Object.entries(unmixed(rows)) : Object.entries(rows);
  const spans = named.flatMap(([client, rows]) => {
    const own = rows.map(span);
    const begin = fromOwnStart ? Math.min(...own.map(({ start }) => start)) : 0;
    return own.map(({ start, end, ...rest }) => ({ client, ...rest, start: start - begin, end: end - begin }));
  });
  const inOrder = [...spans].sort((a, b) => a.start - b.start);
  const jobs = job === undefined ? [] : [job].flat();
  const zero = Math.min(...spans.map(({ start }) => start), ...jobs.map(({ createdAt }) => Date.parse(createdAt)));
  const seconds = (ms: number) => (ms - zero) / 1_000;
  const whole = Math.max(0, ...spans.map(({ end }) => end)) - zero;
  const rooms = roomBehind(
    inOrder.map(({ client, start, end }) => ({ lane: client, from: start, to: end })),
    whole,
  );
  const data = inOrder.map(({ client, technique, method, isHttp, start, end, status }, i) => ({
    ...{ client, request: i + 1, technique, method, start: seconds(start), end: seconds(end) },
    ...(isHttp ? { status, label: status } : inWords(method, status)),
    room: rooms[i] as number,
  }));
  const used = (Object.keys(COLORS) as Technique[]).filter((name) => data.some(({ technique }) => technique === name));
  const drawnJobs = jobs.map((job, i) => ({
    lane: jobs.length > 1 ? `job ${i + 1}` : 'job',
    steps: stairsOf(job.steps, seconds),
    ...course(job, spans, named.length),
  }));
  const lanes = [...drawnJobs.map(({ lane }) => lane), ...named.map(([client]) => client)];
  const isCrowd = named.length > LABELLED;
  const y = laneAxis('client', lanes, {
    title: isCrowd ? `${named.length} clients` : null,
    scale: { paddingInner: 0.3, paddingOuter: 0.2 },
    axis: { labels: !isCrowd },
  });
  const height = Math.min(420, Math.max(60, (lanes.length > 8 ? 18 : 26) * lanes.length));
  // In a crowd's thin lanes, edges would be all that is seen.
  const strokeWidth = isCrowd ? 0.2 : EDGE;
  const bars = {
    mark: { type: 'bar', strokeWidth, x2Offset: shortOfNext('start', 'end'), cornerRadius: 1 },
    encoding: {
      x: {
        field: 'start',
        type: 'quantitative',
        title: fromOwnStart ? "time since the client's first request (s)" : 'time (s)',
        axis: { tickCount: 8 },
      },
      x2: { field: 'end' },
      y,
      ...byTechnique(used),
      fillOpacity: { condition: { test: "datum.status === 'cut'", value: FAINT.wait }, value: 1 },
      tooltip: [
        { field: 'client' },
        { field: 'request' },
        { field: 'technique' },
        { field: 'method' },
        { field: 'start', type: 'quantitative', format: '.3f', title: 'from (s)' },
        { field: 'end', type: 'quantitative', format: '.3f', title: 'to (s)' },
        { field: 'status' },
      ],
    },
  };
  const labels = {
    transform: [{ filter: `datum.room * width > ${STATUS}` }],
    mark: { type: 'text', align: 'left', dx: 6, fontSize: 11, color: INK.text, opacity: FAINT.text },
    encoding: { x: { field: 'end', type: 'quantitative' }, y, text: { field: 'label' } },
  };
  return chart({
    title,
    subtitle,
    data,
    numbers: [
      tell(
        data,
        (bar) =>
          `request ${bar.request} (${bar.technique}) from ${number(bar.start)} s to ${number(bar.end)} s, ${bar.label}`,
      ),
      ...drawnJobs.flatMap(({ lane, isOver, to, steps, late, unheardFrom }) => [
        ...cameTo(`the ${lane}`, steps),
        ...(isOver ? [`the ${lane} ended at ${number(seconds(to))} s`] : []),
        ...(late === null ? [] : [`a poll told of it ${number(late / 1_000)} s later`]),
        ...(unheardFrom === null ? [] : [`its request was cut at ${number(seconds(unheardFrom))} s, and it went on`]),
      ]),
    ].join('; '),
    // Most jobs have no words beside them, and a narrow chart needs the room.
    margin: drawnJobs.some(({ late, unheardFrom }) => late !== null || unheardFrom !== null) ? 80 : 40,
    body: {
      height,
      layer: [...drawnJobs.flatMap((job) => jobLane(job, seconds, whole, y)), bars, ...(isCrowd ? [] : [labels])],
    },
  });
}

/** Requests of one record by their clients: a client that waits for an answer sends no other request. */
function unmixed(rows: Row[]): Record<string, Row[]> {
  const lanes = lanesOf(rows.map(span).map(({ start, end }) => ({ from: start, to: end })));
  const clients = 1 + Math.max(0, ...lanes);
  const name = (lane: number) => (clients > 1 ? `client ${lane + 1}` : 'client');
  return Object.fromEntries(
    Array.from({ length: clients }, (_, lane) => [name(lane), rows.filter((_, i) => lanes[i] === lane)]),
  );
}

interface Course {
  from: number;
  to: number;
  isOver: boolean;
  /** For how long the one client did not know of the end; null if no poll told, or several clients waited. In milliseconds. */
  late: number | null;
  /** When the request that the job came with was cut, if the job went on then. */
  unheardFrom: number | null;
}

interface DrawnJob extends Course {
  lane: string;
  steps: Stair[] | null;
}

/** A job as its clients saw it. Times are milliseconds since the epoch. */
function course({ createdAt, finishedAt }: Job, spans: Span[], clients: number): Course {
  const [from, to] = [Date.parse(createdAt), finishedAt ? Date.parse(finishedAt) : now()];
  const told = finishedAt ? tellingPoll(spans, to) : undefined;
  const own = spans.filter(({ technique, start }) => technique === 'submit' && start <= from + 1).at(-1);
  const unheardFrom = own?.status === 'cut' && own.end < to ? own.end : null;
  return {
    from,
    to,
    isOver: finishedAt !== null,
    late: told && unheardFrom === null && clients === 1 ? told.end - to : null,
    unheardFrom,
  };
}

/** A short slanted stroke, and how far two of a hatching are apart, as a share of the whole time. */
const HATCH = { shape: 'M-0.35,1L0.35,-1', apart: 0.012 };

/** The job from its beginning to its end, and then for how long no client knew of it. */
function jobLane(job: DrawnJob, seconds: (ms: number) => number, whole: number, y: object) {
  const { lane, isOver, steps, late, unheardFrom } = job;
  const [from, to] = [seconds(job.from), seconds(job.to)];
  const x = (field: string) => ({ field, type: 'quantitative' });
  const bar = (start: string, end: string, says: string) => ({
    ...{ x: x(start), x2: { field: end }, y },
    tooltip: { value: says },
  });
  const heard = unheardFrom === null ? to : seconds(unheardFrom);
  const late_s = (late ?? 0) / 1_000;
  const lateWords = `${number(Number(late_s.toPrecision(2)))} s late`;
  const goesOn = `${lane} goes on after its request was cut`;
  const data = {
    values: [
      {
        client: lane,
        from,
        heard,
        to,
        told: to + late_s,
        late: lateWords,
        unheard: 'goes on',
      },
    ],
  };
  const outline = { type: 'rect', color: INK.text, fillOpacity: FAINT.span, stroke: INK.text, strokeDash: [2, 2] };
  const says = (field: string, at: string) => ({
    data,
    mark: { type: 'text', align: 'left', dx: 6, fontSize: 11, fontWeight: 'bold' },
    encoding: { x: x(at), y, text: { field } },
  });
  const layers: object[] = jobBar({ lane, field: 'client', from, to: heard, steps, x, y });
  const last = steps?.at(-1);
  if (last && !isOver)
    layers.push({ ...says('at', 'to'), data: { values: [{ client: lane, to, at: percent(last) }] } });
  if (late !== null)
    layers.push(
      {
        data,
        mark: outline,
        encoding: bar('to', 'told', `the poll that told of the end of ${lane} came ${lateWords}`),
      },
      says('late', 'told'),
    );
  if (unheardFrom === null) return layers;
  const apart = (HATCH.apart * whole) / 1_000;
  const strokes = Array.from({ length: Math.max(1, Math.floor((to - heard) / apart)) }, (_, i) => ({
    client: lane,
    at: heard + (i + 0.5) * apart,
  }));
  const hatching = {
    data: { values: strokes },
    mark: {
      type: 'point',
      shape: HATCH.shape,
      size: 120,
      filled: false,
      stroke: INK.text,
      strokeWidth: 1,
      aria: false,
    },
    encoding: { x: x('at'), y, tooltip: { value: goesOn } },
  };
  return [
    ...layers,
    { data, mark: { ...outline, fillOpacity: 0 }, encoding: bar('heard', 'to', goesOn) },
    hatching,
    says('unheard', 'to'),
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
  /** HTTP's method, or what another protocol calls the request: `BLPOP`. */
  method: string;
  isHttp: boolean;
}

/** Words for how a request ended, for a protocol without HTTP statuses. The proxy that records it writes 200 for an answer, and 400 or more for an error. */
function inWords(method: string, status: Span['status']): { status: string; label: string } {
  if (typeof status !== 'number') return { status, label: status };
  return status < 400 ? { status: 'answered', label: method } : { status: 'error', label: `${method}: error` };
}

function span(row: SentRequest | LedgerRow): Span {
  const { technique, method } = row;
  // A request that ended without an answer was cut: by the client, or by something in between.
  const status: Span['status'] = row.status ?? (row.endedAt === null ? 'open' : 'cut');
  const isHttp = 'sentAt' in row || row.protocol.startsWith('HTTP');
  const request = { technique, method, isHttp, status };
  if ('sentAt' in row) return { ...request, start: row.sentAt, end: row.endedAt ?? row.answeredAt ?? now() };
  return {
    ...request,
    start: Date.parse(row.arrivedAt),
    end: row.endedAt ? Date.parse(row.endedAt) : now(),
  };
}
