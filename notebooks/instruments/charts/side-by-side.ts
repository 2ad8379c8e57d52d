import { number } from '../table.js';
import { INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, tell } from './chart.js';
import { assertSame, params, ranges, type Slider } from './sliders.js';

interface SideBySide {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /**
   * A bar in each panel for each row; the values are named by what they mean, with the unit: `{ 'CPU (ms)': 12 }`. A value
   * that is null has no bar.
   */
  rows: { label: string; technique: Technique; values: Record<string, number | null> }[];
  /** Lets the reader drag the numbers that the values are computed from, wherever the chart is shown. */
  drag?: {
    sliders: Record<string, Slider>;
    /** Each value as a Vega expression that knows the sliders' names, by label and meaning. */
    formulas: Record<string, Record<string, string>>;
    /** The same values as the cell computes them, by label and meaning. The formulas are held equal to it. */
    predict: (dragged: Record<string, number>) => Record<string, Record<string, number>>;
  };
}

/** How many panels stand beside each other, and how wide each is, in pixels. */
const COLUMNS = 3;
const WIDTH = 130;

/** Several prices of the same few things: a panel for each price, each with a scale of its own that begins at 0. */
export function sideBySide({ title, subtitle, rows, drag }: SideBySide): Chart {
  const labels = rows.map(({ label }) => label);
  const measures = Object.keys(rows[0]?.values ?? {}).filter((measure) =>
    rows.some(({ values }) => values[measure] !== null),
  );
  const used = [...new Set(rows.map(({ technique }) => technique))];
  const data = measures.flatMap((measure) =>
    rows.flatMap(({ label, technique, values }) => {
      const value = values[measure];
      return value === null || value === undefined ? [] : [{ measure, label, technique, value, text: number(value) }];
    }),
  );
  const dragged = drag && {
    params: params(drag.sliders),
    transform: [
      { calculate: choose(data, drag), as: 'value' },
      { calculate: "format(datum.value, datum.value < 1000 ? ',.3~r' : ',.0f')", as: 'text' },
    ],
  };
  const x = { field: 'value', type: 'quantitative', axis: null, scale: { zero: true, nice: false } };
  const y = {
    field: 'label',
    type: 'nominal',
    sort: labels,
    title: null,
    axis: { ticks: false, domain: false, labelLimit: 400 },
  };
  return chart({
    title,
    subtitle: [subtitle, drag && ranges(drag.sliders)].filter(Boolean).join('; ') || undefined,
    data,
    numbers: tell(measures, (measure) => {
      const bars = data.filter((bar) => bar.measure === measure);
      return `${measure}: ${tell(bars, ({ label, text }) => `${label} ${text}`)}`;
    }),
    body: {
      ...dragged,
      columns: COLUMNS,
      // Room for the number that stands at the end of the longest bar.
      spacing: { column: 64, row: 22 },
      facet: { field: 'measure', type: 'nominal', sort: measures, header: { labelFontWeight: 'bold' } },
      resolve: { scale: { x: 'independent' } },
      spec: {
        width: measures.length === 1 ? COLUMNS * WIDTH : WIDTH,
        height: { step: 24 },
        layer: [
          {
            mark: 'bar',
            encoding: {
              tooltip: [{ field: 'label' }, { field: 'text', title: 'value' }],
              x,
              y,
              ...byTechnique(used, { legend: null }), // the bars have their names
            },
          },
          {
            mark: { type: 'text', align: 'left', dx: 4, fontSize: 11, color: INK.text },
            encoding: { x, y, text: { field: 'text' } },
          },
        ],
      },
    },
  });
}

/** An expression that computes the value of each bar by its own formula, each of which is held equal to what the cell computes. */
function choose(
  bars: { measure: string; label: string }[],
  { sliders, formulas, predict }: NonNullable<SideBySide['drag']>,
) {
  return bars.reduceRight((otherwise, { measure, label }) => {
    const expression = formulas[label]?.[measure];
    if (!expression) throw new Error(`expected a formula for "${measure}" of "${label}", got none`);
    assertSame({ expression, sliders }, (at) => predict(at)[label]?.[measure] ?? Number.NaN, 50);
    const isIt = `datum.measure === ${JSON.stringify(measure)} && datum.label === ${JSON.stringify(label)}`;
    return `${isIt} ? (${expression}) : (${otherwise})`;
  }, 'NaN');
}
