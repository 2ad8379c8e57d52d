import { number } from '../table.js';
import { INK, outlineOf } from '../technique.js';
import { type Chart, chart, rounded, tell } from './chart.js';
import { laneAxis } from './lanes.js';

interface Bars {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** What the lengths mean, with the unit. */
  x: string;
  /** A bar for each label, of parts that stand one after the other: `{ '200 OK': { request: 215, response: 623 } }`. */
  parts: Record<string, Record<string, number>>;
  /** A color for each part. */
  colors: Record<string, string>;
}

/** Lengths to be compared, whole and in parts. */
export function bars({ title, subtitle, x, parts, colors }: Bars): Chart {
  const labels = Object.keys(parts);
  const names = Object.keys(colors);
  const data = labels.flatMap((label) =>
    names.map((part, order) => ({ label, part, value: parts[label]?.[part] ?? 0, order })),
  );
  const sums = labels.map((label) => {
    const sum = names.reduce((sum, part) => sum + (parts[label]?.[part] ?? 0), 0);
    return { label, sum, text: number(sum) };
  });
  const isCount = data.every(({ value }) => Number.isInteger(value));
  // Of one part, the axis says what it is.
  const legend = names.length === 1 ? { legend: null } : {};
  const y = laneAxis('label', labels, { scale: { paddingInner: 0.35, paddingOuter: 0.2 } });
  return chart({
    title,
    subtitle,
    data,
    numbers: tell(data, ({ label, part, value }) => `${label}, ${part}: ${number(value)}`),
    margin: 44,
    body: {
      height: 36 * Math.max(1, labels.length),
      encoding: { y },
      layer: [
        {
          mark: 'bar',
          encoding: {
            tooltip: [{ field: 'label' }, { field: 'part' }, rounded('value', x)],
            x: {
              field: 'value',
              type: 'quantitative',
              title: x,
              stack: 'zero',
              axis: isCount ? { tickMinStep: 1 } : {},
            },
            color: { field: 'part', scale: { domain: names, range: Object.values(colors) }, ...legend },
            stroke: { field: 'part', scale: { domain: names, range: Object.values(colors).map(outlineOf) }, ...legend },
            strokeWidth: { condition: { test: 'datum.value > 0', value: 1 }, value: 0 },
            order: { field: 'order' },
          },
        },
        {
          data: { values: sums },
          mark: { type: 'text', align: 'left', dx: 5, color: INK.text, fontSize: 12 },
          encoding: { x: { field: 'sum', type: 'quantitative' }, text: { field: 'text' } },
        },
      ],
    },
  });
}
