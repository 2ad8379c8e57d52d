import { number } from '../table.js';
import { COLORS, FAINT, INK, OUTLINES, type Technique } from '../technique.js';
import { type Chart, chart, tell } from './chart.js';

interface Compared {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  /** What was held fixed. */
  subtitle?: string;
  /** What the axes mean, with the unit: `interval between two polls (ms)`. */
  x: string;
  y: string;
  technique: Technique;
  /** The prediction, as a function of x. It is drawn over the range of what was measured. */
  predict: (x: number) => number;
  measured: { x: number; y: number }[];
  /** Steps of x that double stand equally far apart. Default: false. */
  logX?: boolean;
}

/** A prediction as a line, and what was measured as points on it, or beside it. */
export function compared(parts: Compared): Chart {
  const { title, subtitle, x, y, technique, predict, measured, logX = false } = parts;
  const data = measured.map((point) => ({
    ...point,
    predicted: predict(point.x),
    series: 'measured',
  }));
  const xs = data.map((point) => point.x);
  const linear = { scale: { nice: true, zero: false } };
  const log = { scale: { type: 'log', nice: false, padding: 12 }, axis: { values: xs } };
  const encoding = {
    x: { field: 'x', type: 'quantitative', title: x, ...(logX ? log : linear) },
    y: { field: 'y', type: 'quantitative', title: y },
  };
  return chart({
    title,
    subtitle,
    data,
    numbers: `${y} against ${x}: ${tell(
      data,
      (point) => `at ${number(point.x)} predicted ${number(point.predicted)}, measured ${number(point.y)}`,
    )}`,
    body: {
      height: 280,
      layer: [
        predictionLayer(sampled(predict, Math.min(...xs), Math.max(...xs), logX), encoding),
        {
          mark: { type: 'point', filled: true, size: 70, opacity: 1, tooltip: true },
          encoding: {
            ...encoding,
            color: { field: 'series', scale: { domain: ['measured'], range: [COLORS[technique]] } },
            stroke: { field: 'series', scale: { domain: ['measured'], range: [OUTLINES[technique]] } },
          },
        },
      ],
    },
  });
}

/** A prediction as it is drawn everywhere in the course: a dashed line, and one in the legend. */
export function predictionLayer(curve: { x: number; y: number }[], encoding: object) {
  return {
    data: { values: curve.map((point) => ({ ...point, series: 'predicted' })) },
    mark: { type: 'line', strokeWidth: 1.5, color: INK.text, opacity: FAINT.rule },
    encoding: {
      ...encoding,
      strokeDash: {
        field: 'series',
        scale: { domain: ['predicted'], range: [[5, 3]] },
        legend: { symbolType: 'stroke', symbolStrokeColor: INK.text, symbolSize: 120 },
      },
    },
  };
}

/** A function as points close to each other. */
export function sampled(predict: (x: number) => number, least: number, most: number, log = false) {
  const samples = 400;
  return Array.from({ length: samples + 1 }, (_, i) => {
    const share = i / samples;
    const x = log ? least * (most / least) ** share : least + (most - least) * share;
    return { x, y: predict(x) };
  });
}
