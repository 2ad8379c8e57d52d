import { number } from '../table.js';
import { FAINT, INK, type Technique } from '../technique.js';
import { ofTechnique } from './by-technique.js';
import { type Chart, chart, rounded, tell } from './chart.js';
import { laneAxis } from './lanes.js';

/** A request of one client among many. */
export interface Arrival {
  /** Which run it belongs to. */
  panel: string;
  /** Which client of the run, from 1. */
  client: number;
  /** When, in milliseconds since its run began. */
  atMs: number;
}

interface Arrivals {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  technique: Technique;
  /** When the job ended, in milliseconds since the run began: a line. */
  endsMs?: number;
}

/** The width of a column, in milliseconds. */
const COLUMN_MS = 100;

/** The most requests in a column whose dots do not overlap, if all are of one client. */
const MOST_APART = 8;

/** Height of a panel with its head, as a multiple of the panel alone. `storm` has room for dots below the columns, too. */
const HEAD = { crowd: 1.25, storm: 1.45 };

/** How far the dots of a panel's only client lie below its columns, as a share of the panel's height. */
const BELOW = 0.08;

/** Round numbers from 0 to at most `most`: three to five of them. */
function ticksUpTo(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 2));
  const step = [5, 2, 1].map((digit) => digit * power).find((step) => step <= most / 2)!;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

/**
 * A dot for every request: time runs to the right. Runs of one client are lines of one chart, if they are slow enough to tell
 * their dots apart. Otherwise each run has a panel, with a column for every 100 ms, as high as the number of requests
 * in it: a storm or a herd stands out. The dots of many clients lie on the columns, with a line for each client; those of one
 * client lie below.
 */
export function arrivals(requests: Arrival[], { title, subtitle, technique, endsMs }: Arrivals): Chart {
  const data = requests.map(({ atMs, ...rest }) => ({ ...rest, seconds: Math.round(atMs) / 1_000 }));
  const panels = [...new Set(data.map(({ panel }) => panel))];
  const many = data.some(({ client }) => client > 1);
  const columnOf = ({ seconds }: { seconds: number }) => Math.floor((seconds * 1_000) / COLUMN_MS);
  const busiest = (panel: string) => {
    const counts = new Map<number, number>();
    for (const dot of data.filter((dot) => dot.panel === panel))
      counts.set(columnOf(dot), (counts.get(columnOf(dot)) ?? 0) + 1);
    return Math.max(...counts.values());
  };
  const most = Math.max(1, ...panels.map(busiest));
  const isStorm = !many && most > MOST_APART;
  const x = {
    field: 'seconds',
    type: 'quantitative',
    title: 'time (s)',
    axis: { tickCount: 8 },
    scale: { nice: false, padding: 8 },
  };
  const end = endsMs !== undefined && {
    data: { values: [{ seconds: endsMs / 1_000 }] },
    mark: { type: 'rule', color: INK.text, opacity: FAINT.rule, strokeDash: [5, 3] },
    encoding: { x, tooltip: { value: `the job ended at ${number(endsMs / 1_000)} s` } },
  };
  const counted = [
    { calculate: `floor(datum.seconds * ${1_000 / COLUMN_MS}) / ${1_000 / COLUMN_MS}`, as: 'from' },
    { aggregate: [{ op: 'count', as: 'requests' }], groupby: ['panel', 'from'] },
    { calculate: `datum.from + ${COLUMN_MS / 1_000}`, as: 'to' },
  ];
  const top = isStorm ? most : Math.max(1, ...data.map(({ client }) => client));
  // One plot, so that it can fill the width: each panel has a part of its height, and a head above it.
  const span = Math.ceil(top * (isStorm ? HEAD.storm : HEAD.crowd)); // whole, so that the axis can take it off exactly
  const bases = Object.fromEntries(panels.map((panel, i) => [panel, (panels.length - 1 - i) * span]));
  const based = { calculate: `${JSON.stringify(bases)}[datum.panel]`, as: 'base' };
  const ticks = isStorm ? ticksUpTo(most) : [0, Math.round(top / 2), top];
  const height = {
    type: 'quantitative',
    title: isStorm ? `requests per ${COLUMN_MS} ms` : 'client',
    scale: { domain: [isStorm ? -top * BELOW : 0, panels.length * span], nice: false },
    axis: {
      values: Object.values(bases).flatMap((base) => ticks.map((value) => base + value)),
      labelExpr: `format(datum.value % ${span}, 'd')`,
      grid: false,
      domain: false,
    },
  };
  const columns = {
    transform: [...counted, based, { calculate: 'datum.base + datum.requests', as: 'to_y' }],
    mark: {
      ...{
        type: 'rect',
        color: INK.text,
        fillOpacity: isStorm ? FAINT.span : 0,
        stroke: INK.text,
        strokeOpacity: FAINT.rule,
      },
      ...{ strokeWidth: 0.75 },
    },
    encoding: {
      x: { ...x, field: 'from' },
      x2: { field: 'to' },
      y: { ...height, field: 'base' },
      y2: { field: 'to_y' },
      tooltip: [{ field: 'requests' }, rounded('from', 'from (s)'), rounded('to', 'to (s)')],
    },
  };
  const dots = {
    transform: [based, { calculate: `datum.base + ${isStorm ? -top * BELOW : 'datum.client'}`, as: 'lane' }],
    mark: { type: 'circle', size: 16, opacity: 1, ...ofTechnique(technique) },
    encoding: {
      x,
      y: { ...height, field: 'lane' },
      tooltip: [{ field: 'client' }, rounded('seconds', 'sent (s)')],
    },
  };
  const heads = {
    data: { values: panels.map((panel) => ({ panel, head: isStorm ? `${panel}: up to ${busiest(panel)}` : panel })) },
    transform: [based, { calculate: `datum.base + ${(top + span) / 2}`, as: 'lane' }],
    mark: { type: 'text', align: 'left', fontSize: 13, fontWeight: 'bold' },
    encoding: { x: { value: 0 }, y: { ...height, field: 'lane' }, text: { field: 'head' } },
  };
  const lane = laneAxis('panel', panels, { axis: { grid: true } });
  const single = {
    mark: { type: 'circle', size: 60, opacity: 1, ...ofTechnique(technique) },
    encoding: { x, y: lane, tooltip: [{ field: 'panel', title: 'run' }, rounded('seconds', 'sent (s)')] },
  };
  return chart({
    title,
    subtitle:
      [subtitle, (many || isStorm) && `a column counts the requests within ${COLUMN_MS} ms`]
        .filter(Boolean)
        .join('; ') || undefined,
    data,
    numbers: tell(panels, (panel) => {
      const dots = data.filter((dot) => dot.panel === panel);
      const clients = new Set(dots.map(({ client }) => client)).size;
      const at = tell(dots, ({ seconds }) => `${seconds.toFixed(2)} s`, 12);
      const how = isStorm
        ? `, up to ${busiest(panel)} within ${COLUMN_MS} ms`
        : many
          ? ` of ${clients} clients`
          : ` at ${at}`;
      return `${panel}: ${dots.length} requests${how}`;
    }),
    body:
      many || isStorm
        ? { height: 165 * panels.length, layer: [columns, ...(end ? [end] : []), dots, heads] }
        : { height: 36 * panels.length, layer: [...(end ? [end] : []), single] },
  });
}
