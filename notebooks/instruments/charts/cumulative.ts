import { FAINT, INK, OUTLINES, type Technique } from '../technique.js';
import { type Chart, chart, tell } from './chart.js';

/** What happens again and again, as it was measured and as a twin has it. */
export interface Counted {
  technique: Technique;
  /** When it happened, in milliseconds. */
  measured: number[];
  twin: number[];
}

interface Cumulative {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** What the time counts from: `time from the end of the job (s)`. */
  x: string;
  /** What is counted: `requests so far`. */
  y: string;
}

/** How many there have been so far: a step for each. A twin's run is a dashed line over the measured one. */
export function cumulative(runs: Counted[], { title, subtitle, x, y }: Cumulative): Chart {
  const times = runs.flatMap(({ measured, twin }) => [...measured, ...twin]);
  const [least, most] = [times.reduce((a, b) => Math.min(a, b), 0), times.reduce((a, b) => Math.max(a, b), 0)];
  const steps = ({ technique }: Counted, run: string, happened: number[]) => {
    const sorted = [...happened].sort((a, b) => a - b);
    const points = sorted.map((ms, i) => ({ seconds: ms / 1_000, count: i + 1 }));
    const [first, last] = [
      { seconds: least / 1_000, count: 0 },
      { seconds: most / 1_000, count: sorted.length },
    ];
    return [first, ...points, last].map((point) => ({ technique, run, ...point }));
  };
  const data = runs.flatMap((run) => [...steps(run, 'measured', run.measured), ...steps(run, 'the twin', run.twin)]);
  const techniques = runs.map(({ technique }) => technique);
  const encoding = {
    x: { field: 'seconds', type: 'quantitative', title: x, scale: { nice: false, zero: false } },
    y: { field: 'count', type: 'quantitative', title: y },
    detail: { field: 'technique' },
    tooltip: [{ field: 'technique' }, { field: 'run' }],
  };
  const line = { type: 'line', interpolate: 'step-after' };
  const only = (run: string) => ({ transform: [{ filter: { field: 'run', equal: run } }] });
  return chart({
    title,
    subtitle,
    data,
    numbers: tell(runs, ({ technique, measured, twin }) => {
      return `${technique}: ${measured.length} measured, ${twin.length} in the twin`;
    }),
    body: {
      height: 200,
      layer: [
        {
          ...only('measured'),
          mark: { ...line, strokeWidth: 4 },
          encoding: {
            ...encoding,
            color: {
              field: 'technique',
              scale: { domain: techniques, range: techniques.map((name) => OUTLINES[name]) },
              legend: { symbolType: 'stroke', symbolStrokeWidth: 4 },
            },
          },
        },
        {
          ...only('the twin'),
          mark: { ...line, strokeWidth: 1.5, color: INK.text },
          encoding: {
            ...encoding,
            strokeDash: {
              field: 'run',
              scale: { domain: ['the twin'], range: [[4, 3]] },
              legend: { symbolType: 'stroke', symbolStrokeColor: INK.text, symbolSize: 120 },
            },
          },
        },
        {
          data: { values: [{ seconds: 0 }] },
          mark: { type: 'rule', color: INK.text, opacity: FAINT.rule },
          encoding: { x: encoding.x, tooltip: { value: 'time is counted from here' } },
        },
      ],
    },
  });
}
