import type { Step } from '../job-progress.js';
import { number } from '../table.js';
import { FAINT, INK } from '../technique.js';
import { tell } from './chart.js';

/** A job's bar, and the lane that it lies in. Times are seconds of the chart. */
interface Bar {
  /** The lane's name, and the field that says so. */
  lane: string;
  field: string;
  from: number;
  to: number;
  /** How far the job had come, and from when on, in order; null if that is not known. */
  steps: Stair[] | null;
  /** The chart's encodings of a time and of a lane. */
  x: (field: string) => object;
  y: object;
  /** How high the bar is, in pixels. Default: as the lane. */
  height?: number;
}

export interface Stair {
  from: number;
  progress: number;
}

/** @param seconds Turns milliseconds since the epoch into seconds of the chart. */
export const stairsOf = (steps: Step[] | undefined, seconds: (ms: number) => number): Stair[] | null =>
  steps?.map(({ at, progress }) => ({ from: seconds(Date.parse(at)), progress })) ?? null;

export const percent = ({ progress }: { progress: number }) => `${Math.round(100 * progress)} %`;

/** The steps in words, if there are any. */
export const cameTo = (job: string, steps: Stair[] | null): string[] =>
  steps?.length ? [`${job} came to ${tell(steps, (step) => `${percent(step)} at ${number(step.from)} s`)}`] : [];

/** A bar that is filled from its foot as high as the job had come at each moment; all of it, if that is not known. */
export function jobBar({ lane, field, from, to, steps, x, y, height }: Bar): object[] {
  const size = height === undefined ? {} : { height };
  const whole = (mark: object) => ({
    data: { values: [{ [field]: lane, from, to, told: `${lane} from ${number(from)} s to ${number(to)} s` }] },
    mark: { type: 'rect', color: INK.quiet, ...size, ...mark },
    encoding: { x: x('from'), x2: { field: 'to' }, y, tooltip: { field: 'told' } },
  });
  if (!steps) return [whole({})];
  // Each stair goes on to the bar's end, over which the next one, which is higher, is drawn: between two that met, a seam would show.
  const filled = steps.map((stair) => ({
    [field]: lane,
    ...stair,
    to,
    told: `${lane} at ${percent(stair)} from ${number(stair.from)} s`,
  }));
  const pixels = height ?? "bandwidth('y')";
  const stairs = {
    data: { values: filled.filter((stair) => stair.from <= stair.to) },
    mark: {
      ...{ type: 'rect', color: INK.quiet },
      yOffset: { expr: `${pixels} * (0.5 - datum.progress)` },
      y2Offset: { expr: `${pixels} * 0.5` },
    },
    encoding: {
      ...{ x: x('from'), x2: { field: 'to' } },
      ...{ y: { ...y, bandPosition: 0.5 }, y2: { field, bandPosition: 0.5 } },
      description: { field: 'told' },
      tooltip: { field: 'told' },
    },
  };
  return [whole({ color: INK.text, fillOpacity: FAINT.shade, stroke: INK.quiet }), stairs];
}
