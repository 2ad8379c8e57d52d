import { FAINT, INK } from '../technique.js';
import { type Chart, chart, NARROW, tell } from './chart.js';

interface States {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
}

/** Where each state stands: its column and its row, from the left and the top. */
const PLACES = { queued: [0, 1], running: [1, 1], succeeded: [2, 0], failed: [2, 1], cancelled: [2, 2] } as const;
type State = keyof typeof PLACES;

/** From which states an event leads to which. `progress` leads from running to running. */
const EVENTS: Record<string, { from: State[]; to: State }> = {
  started: { from: ['queued'], to: 'running' },
  progress: { from: ['running'], to: 'running' },
  succeeded: { from: ['running'], to: 'succeeded' },
  failed: { from: ['running'], to: 'failed' },
  cancelled: { from: ['queued', 'running'], to: 'cancelled' },
};

/** Half of a state's box, in columns and in rows. */
const [WIDE, HIGH] = [0.2, 0.24];

/**
 * The states of a job and the events that lead from one to the next, each with how many of these jobs took that way. What
 * none of them took is dashed.
 *
 * @param jobs the names of each job's events, in order: `['queued', 'started', 'succeeded']`.
 */
export function states(jobs: string[][], { title, subtitle }: States): Chart {
  const taken = jobs.flatMap(transitions);
  const ways = Object.entries(EVENTS).flatMap(([event, { from, to }]) =>
    from.map((start) => ({ event, from: start, to })),
  );
  const data = ways.map(({ event, from, to }) => {
    const times = taken.filter((way) => way.event === event && way.from === from).length;
    // An event that has its state's name is told by its number alone.
    const label = [event === to ? '' : from === to ? `↻ ${event}` : event, `× ${times}`].filter(Boolean).join(' ');
    const told = `${from} to ${to} by ${event}: ${times}`;
    return { event, from, to, times, label, told, ...way(from, to) };
  });
  const boxes = (Object.keys(PLACES) as State[]).map((state) => {
    const [x, y] = PLACES[state];
    return {
      state,
      x,
      y,
      left: x - WIDE,
      right: x + WIDE,
      top: y - HIGH,
      bottom: y + HIGH,
    };
  });
  const x = { type: 'quantitative', scale: { domain: [-0.3, 2.3], nice: false }, axis: null };
  const y = { type: 'quantitative', scale: { domain: [-0.4, 2.4], reverse: true, nice: false }, axis: null };
  const moves = { transform: [{ filter: 'datum.from !== datum.to' }] };
  return chart({
    title,
    subtitle: [subtitle, 'dashed: none of these jobs went this way'].filter(Boolean).join('; '),
    data,
    numbers: tell(data, ({ told }) => told),
    body: {
      height: 250,
      layer: [
        {
          ...moves,
          mark: { type: 'rule', color: INK.text, opacity: FAINT.rule, strokeWidth: 1.5 },
          encoding: {
            x: { ...x, field: 'x' },
            x2: { field: 'toX' },
            y: { ...y, field: 'y' },
            y2: { field: 'toY' },
            tooltip: { field: 'told' },
            strokeDash: { condition: { test: 'datum.times > 0', value: [1, 0] }, value: [4, 3] },
          },
        },
        {
          ...moves,
          mark: { type: 'point', shape: ARROW, filled: true, size: 80, color: INK.text, opacity: 1, aria: false },
          encoding: { x: { ...x, field: 'toX' }, y: { ...y, field: 'toY' }, tooltip: { field: 'told' } },
        },
        {
          data: { values: boxes },
          mark: {
            type: 'rect',
            color: INK.text,
            fillOpacity: FAINT.shade,
            stroke: INK.text,
            strokeWidth: 1.5,
            cornerRadius: 6,
          },
          encoding: {
            x: { ...x, field: 'left' },
            x2: { field: 'right' },
            y: { ...y, field: 'top' },
            y2: { field: 'bottom' },
            tooltip: { field: 'state' },
          },
        },
        {
          data: { values: boxes },
          mark: { type: 'text', fontSize: { expr: `${NARROW} ? 10 : 14` }, fontWeight: 'bold' },
          encoding: { x: { ...x, field: 'x' }, y: { ...y, field: 'y' }, text: { field: 'state' } },
        },
        {
          mark: { type: 'text', fontSize: 12, baseline: 'bottom', dy: -4, ariaRoleDescription: 'way' },
          encoding: { x: { ...x, field: 'labelX' }, y: { ...y, field: 'labelY' }, text: { field: 'label' } },
        },
      ],
    },
  });
}

/** A triangle whose tip is where the arrow ends. */
const ARROW = 'M-1,-0.6L0,0L-1,0.6Z';

/** From the right edge of a box to the left edge of the next, or from under a box to one that is farther away. */
function way(from: State, to: State) {
  const [[x, y], [toX, toY]] = [PLACES[from], PLACES[to]];
  if (from === to) return { x, y, toX, toY, labelX: x, labelY: y - HIGH };
  const start = toX - x > 1 ? { x, y: y + HIGH } : { x: x + WIDE, y };
  const end = { toX: toX - WIDE, toY };
  return { ...start, ...end, labelX: (start.x + end.toX) / 2, labelY: (start.y + toY) / 2 };
}

/** The states that a job went through, each with the event that led there. */
function transitions(events: string[]) {
  let from: State = 'queued';
  return events.flatMap((event) => {
    const to = EVENTS[event]?.to;
    if (!to) return [];
    const way = { event, from, to };
    from = to;
    return [way];
  });
}
