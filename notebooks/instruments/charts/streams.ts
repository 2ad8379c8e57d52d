import type { SentRequest } from '../experiment.js';
import { number } from '../table.js';
import { COLORS, FAINT, INK } from '../technique.js';
import { ofTechnique } from './by-technique.js';
import { type Chart, chart, rounded, tell } from './chart.js';
import { laneAxis } from './lanes.js';

/** What came on a stream: an event, a comment that kept it alive, or the news that some events are gone. */
export type Arrived = 'event' | 'comment' | 'gap';

/** Something that came on a stream, and when, in milliseconds since the epoch. */
export interface Mark {
  at: number;
  what: Arrived;
}

/** What one client saw of its event stream. Times are milliseconds since the epoch. */
export interface StreamRun {
  /** Whose it is: the client, or the way it took. A line of the chart. */
  lane: string;
  /** The connections, from the head of the response to its end; `to` is null while it is open. */
  connections: { from: number; to: number | null }[];
  arrived: Mark[];
}

/**
 * What a client saw of its stream: its connections as its own record has them, and what you noted of what came.
 *
 * @example streams([streamRun('the client', run, arrived)], { title: `${arrived.length} events` });
 */
export function streamRun(lane: string, run: { rows: SentRequest[] }, arrived: Mark[]): StreamRun {
  const streamed = run.rows.filter(({ technique, status }) => technique === 'event-stream' && status === 200);
  const connections = streamed.map(({ answeredAt, endedAt }) => ({ from: answeredAt as number, to: endedAt }));
  return { lane, connections, arrived };
}

interface Streams {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** Moments worth a line: the server was killed, the proxy gave up. */
  moments?: { at: number; what: string }[];
}

/** A short upright stroke: a shape of Vega's has to have an area to be filled. */
const TICK = 'M-0.15,-1L0.15,-1L0.15,1L-0.15,1Z';

const LOOKS: Record<Arrived, { shape: string; color: string }> = {
  event: { shape: 'circle', color: COLORS['event-stream'] },
  comment: { shape: TICK, color: INK.text },
  gap: { shape: 'diamond', color: INK.text },
};

/** Event streams over time: a bar for each connection, and on it a mark for whatever came. */
export function streams(runs: StreamRun[], { title, subtitle, moments = [] }: Streams): Chart {
  const times = runs.flatMap(({ connections, arrived }) => [
    ...connections.flatMap(({ from, to }) => [from, to ?? from]),
    ...arrived.map(({ at }) => at),
  ]);
  const [zero, last] = times.length > 0 ? [Math.min(...times), Math.max(...times)] : [0, 0];
  const seconds = (ms: number) => Math.round(ms - zero) / 1_000;
  const lanes = runs.map(({ lane }) => lane);
  const bars = runs.flatMap(({ lane, connections }) =>
    connections.map(({ from, to }) => ({ lane, from: seconds(from), to: seconds(to ?? last) })),
  );
  const data = runs.flatMap(({ lane, arrived }) =>
    arrived.map(({ at, what }) => ({ lane, seconds: seconds(at), arrived: what })),
  );
  const used = (Object.keys(LOOKS) as Arrived[]).filter((what) => data.some(({ arrived }) => arrived === what));
  const lines = moments.map(({ at, what }) => ({ seconds: seconds(at), what }));
  const y = laneAxis('lane', lanes);
  const scale = { nice: false, padding: 8 };
  const x = { field: 'seconds', type: 'quantitative', title: 'time (s)', scale };
  const momentLayers = [
    {
      data: { values: lines },
      mark: { type: 'rule', color: INK.text, opacity: FAINT.rule, strokeDash: [5, 3] },
      encoding: { x, tooltip: [{ field: 'what' }, rounded('seconds', 'time (s)')] },
    },
    {
      data: { values: lines },
      mark: {
        type: 'text',
        align: 'left',
        baseline: 'top',
        dx: 4,
        y: 1,
        fontSize: 11,
        color: INK.text,
        opacity: FAINT.text,
      },
      encoding: { x, text: { field: 'what' } },
    },
  ];
  const connections = {
    data: { values: bars },
    mark: {
      type: 'bar',
      height: 16,
      cornerRadius: 2,
      ...ofTechnique('event-stream'),
      fillOpacity: FAINT.wait,
    },
    encoding: {
      x: { field: 'from', type: 'quantitative', title: 'time (s)', scale },
      x2: { field: 'to' },
      y,
      tooltip: [{ field: 'lane' }, rounded('from', 'connected from (s)'), rounded('to', 'to (s)')],
    },
  };
  const marks = {
    mark: { type: 'point', filled: true, size: 60, opacity: 1, strokeWidth: 1.5 },
    encoding: {
      x,
      y,
      tooltip: [{ field: 'lane' }, { field: 'arrived' }, rounded('seconds', 'time (s)')],
      shape: { field: 'arrived', scale: { domain: used, range: used.map((what) => LOOKS[what].shape) } },
      color: { field: 'arrived', scale: { domain: used, range: used.map((what) => LOOKS[what].color) } },
    },
  };
  return chart({
    title,
    subtitle: [subtitle, 'a bar is a connection'].filter(Boolean).join('; '),
    data,
    numbers: tell(runs, ({ lane, connections, arrived }) => {
      const counts = used.map((what) => {
        const of = arrived.filter((one) => one.what === what);
        const at = tell(of, (one) => `${number(seconds(one.at))} s`, 12);
        return `${of.length} ${what}${of.length === 1 ? '' : 's'}${at && ` at ${at}`}`;
      });
      return `${lane}: ${connections.length} connections, ${counts.join(', ') || 'nothing came'}`;
    }),
    body: {
      height: 44 * Math.max(1, lanes.length),
      // A layer without data makes Vega warn. The bars stay in a chart without any data, for its axes.
      layer: [
        ...(bars.length > 0 || data.length === 0 ? [connections] : []),
        ...(moments.length > 0 ? momentLayers : []),
        ...(data.length > 0 ? [marks] : []),
      ],
    },
  });
}
