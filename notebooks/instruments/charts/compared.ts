import { number } from '../table.js';
import { COLORS, FAINT, INK, OUTLINES, type Technique } from '../technique.js';
import { type Chart, chart, NARROW, NARROWEST, rounded, tell } from './chart.js';
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
    /** Where the point is, as a Vega expression that knows the sliders' names. Default: x is a slider of its own. */
    at?: string;
    /** An x from which on something else holds, as a Vega expression of the sliders: a line, and shade to its right. */
    wall?: { at: string; says: string };
  };
  /** Points of one series share a shape. Default: one series, `measured`. */
  measured: { x: number; y: number; series?: string }[];
  /** From where to where the prediction is drawn, and x can be dragged. Default: what was measured. */
  over?: [from: number, to: number];
  /** What of y is shown, so that the scale keeps still while the reader drags. Default: all that is drawn. */
  overY?: [from: number, to: number];
  /** A y that matters beside the prediction, such as the most that a server can do: a line across the plot. */
  level?: { y: number; says: string };
  /** Steps of x, or of y, that double stand equally far apart. Default: false. For y, `overY` has to be given. */
  logX?: boolean;
  logY?: boolean;
}

/** A prediction as a line, and what was measured as points on it, or beside it. */
export function compared(parts: Compared): Chart {
  const { title, x, y, technique, measured, drag, logX = false, logY = false } = parts;
  const start = Object.fromEntries(Object.entries(drag?.sliders ?? {}).map(([name, { value }]) => [name, value]));
  const predict = (x: number) => parts.predict(x, start);
  const data = measured.map((point) => ({
    series: 'measured',
    ...point,
    predicted: predict(point.x),
  }));
  const xs = data.map((point) => point.x);
  const used = [...new Set(data.map(({ series }) => series))];
  const linear = { scale: { nice: true, zero: false } };
  const log = (values: number[], domain?: [number, number]) => ({
    scale: { type: 'log', nice: false, padding: 12, ...(domain && { domain }) },
    axis: { values },
  });
  const { over, overY } = parts;
  const [least, most] = over ?? [Math.min(...xs), Math.max(...xs)];
  const encoding = {
    x: { field: 'x', type: 'quantitative', title: x, ...(logX ? log(over ? steps(over) : xs) : linear) },
    y: { field: 'y', type: 'quantitative', title: y, ...(logY && overY && log(steps(overY), overY)) },
  };
  const along = { label: x, from: least, to: most, step: 1, value: xs[xs.length >> 1] as number };
  const sliders = drag && { ...(drag.at ? {} : { x: along }), ...drag.sliders };
  if (drag) {
    const formula = { expression: drag.formula, sliders: { x: along, ...drag.sliders } };
    assertSame(formula, ({ x, ...dragged }) => parts.predict(x as number, dragged));
  }
  const legend = drag ? { offset: SAYS } : {};
  const colored = (color: string) => ({
    field: 'series',
    scale: { domain: used, range: used.map(() => color) },
    legend,
  });
  return chart({
    title,
    subtitle: parts.subtitle,
    onPaper: sliders && ranges(sliders),
    data,
    numbers: `${y} against ${x}: ${tell(
      data,
      (point) => `at ${number(point.x)} predicted ${number(point.predicted)}, measured ${number(point.y)}`,
    )}`,
    body: {
      height: 280,
      ...(sliders && { params: [...params(sliders), ...(drag.at ? [{ name: 'x', expr: drag.at }] : [])] }),
      layer: [
        ...(drag?.wall ? wallLayers(drag.wall, logX ? Math.sqrt(least * most) : (least + most) / 2, encoding.x) : []),
        drag
          ? { ...predictionLayer([], encoding, legend), ...curve(drag.formula, least, most, logX) }
          : predictionLayer(sampled(predict, least, most, logX), encoding),
        ...(parts.level ? levelLayers(parts.level, encoding.y) : []),
        ...(drag ? pointLayers(drag, encoding) : []),
        {
          mark: { type: 'point', filled: true, size: 70, opacity: 1 },
          encoding: {
            ...encoding,
            tooltip: [rounded('x', x), rounded('predicted'), rounded('y', y)],
            shape: { field: 'series', scale: { domain: used }, legend },
            color: colored(COLORS[technique]),
            stroke: colored(OUTLINES[technique]),
          },
        },
      ],
    },
  });
}

/** The room above a plot for what the dragged point says, in pixels. */
const SAYS = 26;

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
      encoding: { ...encoding, tooltip: { field: 'says' } },
    },
    {
      ...here,
      // Above the plot: beside the point it would be cut off, since a chart keeps the size it has at first.
      mark: {
        type: 'text',
        align: 'left',
        baseline: 'bottom',
        fontSize: { expr: `${NARROWEST} ? 10 : ${NARROW} ? 11 : 13` },
        fontWeight: 'bold',
      },
      encoding: { x: { value: { expr: `${NARROW} ? -36 : 0` } }, y: { value: -6 }, text: { field: 'says' } },
    },
  ];
}

/** A line from which on something else holds, its name, and shade to its right. The name stands where there is more room. */
function wallLayers({ at, says }: { at: string; says: string }, middle: number, x: object) {
  const wall = { data: { values: [{ says }] }, transform: [{ calculate: at, as: 'x' }] };
  const [align, dx] = [
    ["'right'", "'left'"],
    ['-6', '6'],
  ].map(([before, after]) => ({
    expr: `(${at}) > ${middle} ? ${before} : ${after}`,
  }));
  return [
    {
      ...wall,
      mark: { type: 'rect', color: INK.text, fillOpacity: FAINT.shade, stroke: INK.text, strokeOpacity: FAINT.rule },
      encoding: { x, x2: { value: 'width' }, tooltip: { field: 'says' } },
    },
    {
      ...wall,
      mark: { type: 'rule', color: INK.text, opacity: FAINT.rule, strokeWidth: 2 },
      encoding: { x, tooltip: { field: 'says' } },
    },
    {
      ...wall,
      mark: { type: 'text', align, dx, baseline: 'top', fontSize: 12 },
      encoding: { x, y: { value: 6 }, text: { field: 'says' } },
    },
  ];
}

/** A line across the plot, and what it says at its end. */
function levelLayers({ y: at, says }: { y: number; says: string }, y: object) {
  const data = { values: [{ y: at, says }] };
  return [
    { data, mark: { type: 'rule', color: INK.text, strokeWidth: 1.5 }, encoding: { y, tooltip: { field: 'says' } } },
    {
      data,
      mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -4, fontSize: { expr: `${NARROWEST} ? 10 : 12` } },
      encoding: { x: { value: 'width' }, y, text: { field: 'says' } },
    },
  ];
}

/** 1, 2, 5, 10, 20, 50 and so on, as far as they are within two ends: what an axis whose steps double can name. */
function steps([from, to]: [from: number, to: number]): number[] {
  const powers = Array.from({ length: 13 }, (_, i) => 10 ** (i - 6));
  return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((step) => step >= from && step <= to);
}

/** A prediction as it is drawn everywhere in the course: a dashed line, and one in the legend. */
export function predictionLayer(curve: { x: number; y: number }[], encoding: object, legend: object = {}) {
  return {
    data: { values: curve.map((point) => ({ ...point, series: 'predicted' })) },
    mark: { type: 'line', strokeWidth: 1.5, color: INK.text, opacity: FAINT.rule },
    encoding: {
      ...encoding,
      tooltip: { value: 'predicted' },
      strokeDash: {
        field: 'series',
        scale: { domain: ['predicted'], range: [[5, 3]] },
        legend: { symbolType: 'stroke', symbolStrokeColor: INK.text, symbolSize: 120, ...legend },
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
