import { number } from '../table.js';
import { COLORS, INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, NARROW, rounded, tell } from './chart.js';
import { predictionLayer, sampled } from './compared.js';
import { placeNames } from './names.js';

/** Of the plot where nothing gives it a width, and on a phone; and what is left free at its edges, in pixels. */
const WIDTH = 620;
const PHONE = 280;
const HEIGHT = 340;
const PADDING = { x: 56, y: 24 };

interface Tradeoff {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** What the axes mean, with the unit. */
  x: string;
  y: string;
  /** One point for each way of doing it; those of one family share a shape. */
  points: { label: string; family: string; technique?: Technique; x: number; y: number }[];
  /** The technique of the points that name none. */
  technique?: Technique;
  /** Where the points should lie, as a function of x: a line. */
  predict?: (x: number) => number;
}

/** An arrow to the lower left corner, where both costs are least. */
const BETTER = {
  data: { values: [{ says: '↙ better' }] },
  mark: { type: 'text', align: 'left', baseline: 'bottom', fontSize: 12 },
  encoding: { x: { value: 5 }, y: { value: HEIGHT - 4 }, text: { field: 'says' } },
};

/** Where the arrow is, so that no name stands on it. */
const ARROW = [12, 28, 44].map((x) => ({ x, y: HEIGHT - 10, label: '' }));

/** Two costs against each other: whoever is nearer to the lower left corner is better. Both scales are logarithmic. */
export function tradeoff(parts: Tradeoff): Chart {
  const { title, subtitle, x, y, technique = 'other', predict } = parts;
  const points = parts.points.map((point) => ({ technique, ...point }));
  const families = [...new Set(points.map(({ family }) => family))];
  const techniques = [...new Set(points.map(({ technique }) => technique))];
  const colors = techniques.map((name) => COLORS[name]);
  const xs = points.map((point) => point.x);
  const curve = predict ? sampled(predict, Math.min(...xs), Math.max(...xs), true) : [];
  const axis = { grid: true, tickCount: 6, format: ',.3~r' };
  const scale = { type: 'log', nice: false };
  const encoding = {
    x: { field: 'x', type: 'quantitative', title: x, scale: { ...scale, padding: PADDING.x }, axis },
    y: { field: 'y', type: 'quantitative', title: y, scale: { ...scale, padding: PADDING.y }, axis },
  };
  const dots = {
    ...encoding,
    shape: {
      field: 'family',
      scale: { domain: families },
      // The shape's legend has no color of its own: with one technique it takes that one's.
      legend:
        families.length === 1 || families.length === techniques.length
          ? null
          : { symbolFillColor: colors.length === 1 ? colors[0] : INK.quiet, symbolStrokeWidth: 0 },
    },
    ...byTechnique(techniques, techniques.length === 1 ? { legend: null } : {}),
  };
  // Where Vega will put them, so that no name hides another. What a prediction does not know (NaN) is not drawn.
  const line = curve.filter(({ y }) => y > 0 && y < Number.POSITIVE_INFINITY);
  const down = logarithmic(
    [...points, ...line].map((spot) => spot.y),
    HEIGHT - PADDING.y,
    PADDING.y,
  );
  const sidesAt = (width: number) => {
    const across = logarithmic(xs, PADDING.x, width - PADDING.x);
    const placed = <S extends { x: number; y: number }>(spot: S) => ({ ...spot, x: across(spot.x), y: down(spot.y) });
    return placeNames([...points.map(placed), ...ARROW], line.map(placed), width, HEIGHT);
  };
  const [sides, narrow] = [sidesAt(WIDTH), sidesAt(PHONE)];
  const side = (i: number, part: 'align' | 'dx' | 'dy') => ({
    [part]: { expr: `${NARROW} ? ${JSON.stringify(narrow[i]![part])} : ${JSON.stringify(sides[i]![part])}` },
  });
  const names = points.map(({ label, x, y }, i) => ({
    data: { values: [{ label, x, y }] },
    mark: { type: 'text', fontSize: 12, color: INK.text, ...side(i, 'align'), ...side(i, 'dx'), ...side(i, 'dy') },
    encoding: { ...encoding, text: { field: 'label' } },
  }));
  return chart({
    title,
    subtitle,
    data: points,
    numbers: `${x}, and ${y}: ${tell(points, (point) => `${point.label}: ${number(point.x)} and ${number(point.y)}`)}`,
    body: {
      height: HEIGHT,
      layer: [
        ...(predict ? [predictionLayer(curve, encoding)] : []),
        {
          mark: { type: 'point', filled: true, size: 110, opacity: 1 },
          encoding: { ...dots, tooltip: [{ field: 'label' }, rounded('x', x), rounded('y', y)] },
        },
        ...names,
        BETTER,
      ],
    },
  });
}

/** The logarithmic scale from the least and the most of the values to two ends. */
function logarithmic(values: number[], from: number, to: number): (value: number) => number {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const span = Math.log(most / least) || 1;
  return (value) => from + ((to - from) * Math.log(value / least)) / span;
}
