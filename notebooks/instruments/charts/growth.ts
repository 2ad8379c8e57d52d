import { number } from '../table.js';
import { OUTLINES, type Technique } from '../technique.js';
import { type Chart, chart, rounded, tell } from './chart.js';

/** A value of one technique, for a crowd of this size. */
interface Size {
  technique: Technique;
  x: number;
  y: number;
}

interface Growth {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** What the axes mean, with the unit. */
  x: string;
  y: string;
  /** What was measured: a point each. */
  measured: Size[];
  /** What a twin has: lines. */
  twin: Size[];
}

/** How a value grows with a crowd: a twin's lines, which go on where the measured points end. Both scales are logarithmic. */
export function growth({ title, subtitle, x, y, measured, twin }: Growth): Chart {
  const techniques = [...new Set([...measured, ...twin].map(({ technique }) => technique))];
  const decades = (values: number[]) => {
    const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.log10) as [number, number];
    return Array.from({ length: Math.ceil(most) - Math.floor(least) + 1 }, (_, i) => 10 ** (Math.floor(least) + i));
  };
  const channel = (field: 'x' | 'y', title: string) => ({
    field,
    type: 'quantitative',
    title,
    scale: { type: 'log', nice: false, padding: 12 },
    axis: { grid: true, format: ',~r', values: decades([...measured, ...twin].map((size) => size[field])) },
  });
  const encoding = { x: channel('x', x), y: channel('y', y) };
  // A line has one tooltip, whichever of its points is pointed at.
  const names = [{ field: 'technique' }, { field: 'run' }];
  const color = {
    field: 'technique',
    scale: { domain: techniques, range: techniques.map((name) => OUTLINES[name]) },
    legend: { symbolType: 'stroke', symbolStrokeWidth: 3 },
  };
  const of = (run: string, sizes: Size[]) => ({ data: { values: sizes.map((size) => ({ ...size, run })) } });
  return chart({
    title,
    subtitle: [subtitle, 'dashed: the twin; dots: measured'].filter(Boolean).join('; '),
    data: [
      ...measured.map((size) => ({ ...size, run: 'measured' })),
      ...twin.map((size) => ({ ...size, run: 'the twin' })),
    ],
    numbers: tell([...measured, ...twin], (size) => `${size.technique}, ${number(size.x)}: ${number(size.y)}`),
    body: {
      height: 280,
      layer: [
        {
          ...of('the twin', twin),
          mark: { type: 'line', strokeWidth: 2.5, strokeDash: [6, 3] },
          encoding: { ...encoding, color, tooltip: names },
        },
        {
          ...of('measured', measured),
          mark: { type: 'point', filled: true, size: 130, opacity: 1 },
          encoding: { ...encoding, color, tooltip: [...names, rounded('x', x), rounded('y', y)] },
        },
      ],
    },
  });
}
