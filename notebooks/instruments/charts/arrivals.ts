import { FAINT, INK, type Technique } from '../technique.js';
import { ofTechnique } from './by-technique.js';
import { type Chart, chart, tell } from './chart.js';

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

/**
 * A dot for every request: time runs to the right. Runs of one client are lines of one chart; runs of many are
 * a panel each, with a line for each client, and behind the dots a column for every 100 ms, as high as the requests
 * in it are many: a herd stands out.
 */
export function arrivals(requests: Arrival[], { title, subtitle, technique, endsMs }: Arrivals): Chart {
  const data = requests.map(({ atMs, ...rest }) => ({ ...rest, seconds: Math.round(atMs) / 1_000 }));
  const panels = [...new Set(data.map(({ panel }) => panel))];
  const many = data.some(({ client }) => client > 1);
  const x = {
    field: 'seconds',
    type: 'quantitative',
    title: 'time (s)',
    axis: { tickCount: 8 },
    scale: { nice: false, padding: 8 },
  };
  const marks = (y: unknown, size: number) => ({
    mark: { type: 'circle', size, opacity: 1, ...ofTechnique(technique), tooltip: true },
    encoding: { x, y },
  });
  const end = endsMs !== undefined && {
    data: { values: [{ seconds: endsMs / 1_000 }] },
    mark: { type: 'rule', color: INK.text, opacity: FAINT.rule, strokeDash: [5, 3] },
    encoding: { x },
  };
  const counted = [
    { calculate: `floor(datum.seconds * ${1_000 / COLUMN_MS}) / ${1_000 / COLUMN_MS}`, as: 'from' },
    { aggregate: [{ op: 'count', as: 'requests' }], groupby: ['panel', 'from'] },
    { calculate: `datum.from + ${COLUMN_MS / 1_000}`, as: 'to' },
  ];
  const columns = {
    transform: counted,
    mark: {
      ...{ type: 'rect', color: INK.text, fillOpacity: 0, stroke: INK.text, strokeOpacity: FAINT.rule },
      ...{ strokeWidth: 0.75, tooltip: true },
    },
    encoding: {
      x: { ...x, field: 'from' },
      x2: { field: 'to' },
      y: { field: 'requests', type: 'quantitative' },
      y2: { datum: 0 },
    },
  };
  const client = {
    field: 'client',
    type: 'quantitative',
    title: 'client',
    axis: { grid: false, tickCount: 4 },
  };
  const lane = {
    field: 'panel',
    type: 'nominal',
    sort: panels,
    title: null,
    axis: { grid: true, ticks: false, domain: false },
  };
  return chart({
    title,
    subtitle:
      [subtitle, many && `a column counts the requests within ${COLUMN_MS} ms`].filter(Boolean).join('; ') || undefined,
    data,
    numbers: tell(panels, (panel) => {
      const dots = data.filter((dot) => dot.panel === panel);
      const clients = new Set(dots.map(({ client }) => client)).size;
      const at = tell(dots, ({ seconds }) => `${seconds.toFixed(2)} s`, 12);
      return `${panel}: ${dots.length} requests ${many ? `of ${clients} clients` : `at ${at}`}`;
    }),
    body: many
      ? {
          facet: {
            row: { field: 'panel', type: 'nominal', sort: panels, header: { labelAngle: 0 } },
          },
          spec: { width: 620, height: 130, layer: [columns, marks(client, 16), ...(end ? [end] : [])] },
        }
      : { height: 36 * panels.length, layer: [...(end ? [end] : []), marks(lane, 60)] },
  });
}
