import { number } from '../table.js';
import { COLORS, FAINT, INK, OUTLINES, type Technique } from '../technique.js';
import { type Chart, chart, rounded, tell } from './chart.js';
import { assertSame, ofRow, params, ranges, type Slider } from './sliders.js';

interface Compared {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  /** What was held fixed. */
  subtitle?: string;
  /** What the axes mean, with the unit: `interval between two polls (ms)`. */
  x: string;
  y: string;
  technique: Technique;
  /** The prediction, as a function of x and of what else can be dragged. It is drawn over the range of what was measured. */
  predict: (x: number, dragged: Record<string, number>) => number;
  /** Lets the reader drag a point along the prediction, and other numbers of it, wherever the chart is shown. */
  drag?: {
    /** The prediction as a Vega expression that knows `x` and the sliders' names. It is held equal to `predict`. */
    formula: string;
    /** What the point says, as a Vega expression that knows `x`, `y` and the sliders' names. */
    says: string;
    sliders: Record<string, Slider>;
  };
  measured: { x: number; y: number }[];
  /** Steps of x that double stand equally far apart. Default: false. */
  logX?: boolean;
}

/** A prediction as a line, and what was measured as points on it, or beside it. */
export function compared(parts: Compared): Chart {
  const { title, x, y, technique, measured, drag, logX = false } = parts;
  const start = Object.fromEntries(Object.entries(drag?.sliders ?? {}).map(([name, { value }]) => [name, value]));
  const predict = (x: number) => parts.predict(x, start);
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
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  const along = { label: x, from: least, to: most, step: 1, value: xs[xs.length >> 1] as number };
  const sliders = drag && { x: along, ...drag.sliders };
  if (drag && sliders) {
    assertSame({ expression: drag.formula, sliders }, ({ x, ...dragged }) => parts.predict(x as number, dragged));
  }
  return chart({
    title,
    subtitle: [parts.subtitle, sliders && ranges(sliders)].filter(Boolean).join('; ') || undefined,
    data,
    numbers: `${y} against ${x}: ${tell(
      data,
      (point) => `at ${number(point.x)} predicted ${number(point.predicted)}, measured ${number(point.y)}`,
    )}`,
    body: {
      height: 280,
      ...(sliders && { params: params(sliders) }),
      layer: [
        drag
          ? { ...predictionLayer([], encoding), ...curve(drag.formula, least, most, logX) }
          : predictionLayer(sampled(predict, least, most, logX), encoding),
        ...(drag ? pointLayers(drag, encoding) : []),
        {
          mark: { type: 'point', filled: true, size: 70, opacity: 1 },
          encoding: {
            ...encoding,
            tooltip: [rounded('x', x), rounded('predicted'), rounded('y', y)],
            color: { field: 'series', scale: { domain: ['measured'], range: [COLORS[technique]] } },
            stroke: { field: 'series', scale: { domain: ['measured'], range: [OUTLINES[technique]] } },
          },
        },
      ],
    },
  });
}

/** How many points a curve has. */
const SAMPLES = 400;

/** The data of a curve that Vega computes. */
function curve(formula: string, least: number, most: number, log: boolean) {
  const share = `datum.i / ${SAMPLES}`;
  const x = log ? `${least} * pow(${most / least}, ${share})` : `${least} + ${most - least} * ${share}`;
  return {
    data: { sequence: { start: 0, stop: SAMPLES + 1, as: 'i' } },
    transform: [
      { calculate: x, as: 'x' },
      { calculate: ofRow(formula, ['x']), as: 'y' },
      { calculate: "'predicted'", as: 'series' },
    ],
  };
}

/** The point that the reader drags along the curve, and what it says. */
function pointLayers({ formula, says }: { formula: string; says: string }, encoding: object) {
  const here = {
    data: { values: [{}] },
    transform: [
      { calculate: 'x', as: 'x' },
      { calculate: ofRow(formula, ['x']), as: 'y' },
      { calculate: ofRow(says, ['x', 'y']), as: 'says' },
    ],
  };
  return [
    {
      ...here,
      mark: { type: 'circle', size: 260, color: INK.text, fillOpacity: 0, stroke: INK.text, strokeWidth: 2 },
      encoding,
    },
    {
      ...here,
      // In a corner: beside the point it would be cut off, since a chart keeps the size it has at first.
      mark: { type: 'text', align: 'right', baseline: 'top', fontSize: 13, fontWeight: 'bold' },
      encoding: { x: { value: 'width' }, y: { value: 4 }, text: { field: 'says' } },
    },
  ];
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
  return Array.from({ length: SAMPLES + 1 }, (_, i) => {
    const share = i / SAMPLES;
    const x = log ? least * (most / least) ** share : least + (most - least) * share;
    return { x, y: predict(x) };
  });
}
