import { number } from '../table.js';
import { INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, NARROW, tell, WIDTH } from './chart.js';
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
  /** All panels have one scale, so that bars of the same unit can be compared between them. Default: each has its own. */
  sameScale?: boolean;
  /** Lets the reader drag the numbers that the values are computed from, wherever the chart is shown. */
  drag?: {
    sliders: Record<string, Slider>;
    /** Each value as a Vega expression that knows the sliders' names, by label and meaning. */
    formulas: Record<string, Record<string, string>>;
    /** The same values as the cell computes them, by label and meaning. The formulas are held equal to it. */
    predict: (dragged: Record<string, number>) => Record<string, Record<string, number>>;
  };
}

/** How many panels stand beside each other at most: on a phone, where a chart has less than its default width, and elsewhere. */
const MOST = `(${NARROW} ? 1 : room < ${WIDTH.default} ? 2 : 3)`;
/** How wide a letter is in a panel's name and in a row's label, in pixels. */
const LETTER = { name: 8, label: 7 };
/** How high a row is with the space below it, in pixels. */
const LANE = 24;
/** What a panel leaves free at its right, for the number at the end of its longest bar, in pixels. */
const NUMBER = 68;

/** Several prices of the same few things: a panel for each price. The scales begin at 0. */
export function sideBySide({ title, subtitle, rows, sameScale = false, drag }: SideBySide): Chart {
  const labels = rows.map(({ label }) => label);
  const measures = Object.keys(rows[0]?.values ?? {}).filter((measure) =>
    rows.some(({ values }) => values[measure] !== null),
  );
  const used = [...new Set(rows.map(({ technique }) => technique))];
  const data = measures.flatMap((measure, panel) =>
    rows.flatMap(({ label, technique, values }, row) => {
      const value = values[measure];
      if (value === null || value === undefined) return [];
      return [{ measure, panel, row: row + 1, label, technique, value, text: number(value) }];
    }),
  );
  const dragged = drag && [
    { calculate: choose(data, drag), as: 'value' },
    { calculate: "format(datum.value, datum.value < 1000 ? ',.3~r' : ',.0f')", as: 'text' },
  ];
  // A panel has one lane for its name and one for each of its rows. The panels form a grid: as many in a line as fit with their full
  // names, and the same number in each line.
  const height = LANE * (rows.length + 1);
  const longest = (texts: string[]) => Math.max(0, ...texts.map(({ length }) => length));
  const fit = `floor((room - ${LETTER.label * longest(labels)}) / ${LETTER.name * longest(measures)})`;
  const columns = `ceil(${measures.length} / ceil(${measures.length} / max(1, min(${MOST}, ${fit}))))`;
  const placed = [
    { calculate: 'datum.panel % columns', as: 'from' },
    { calculate: `floor(datum.panel / columns) * ${rows.length + 1} + datum.row`, as: 'lane' },
  ];
  const x = {
    field: 'from',
    type: 'quantitative',
    axis: null,
    scale: { domain: [0, { expr: 'columns' }], zero: false, nice: false },
  };
  const y = {
    field: 'lane',
    type: 'ordinal',
    title: null,
    scale: { padding: 0.15 },
    axis: {
      ...{ ticks: false, domain: false },
      labelExpr: `${JSON.stringify(['', ...labels])}[datum.value % ${rows.length + 1}]`,
    },
  };
  return chart({
    title,
    subtitle,
    onPaper: drag && ranges(drag.sliders),
    data,
    numbers: tell(measures, (measure) => {
      const bars = data.filter((bar) => bar.measure === measure);
      return `${measure}: ${tell(bars, ({ label, text }) => `${label} ${text}`)}`;
    }),
    body: {
      params: [
        { name: 'columns', expr: columns },
        { name: 'height', expr: `ceil(${measures.length} / columns) * ${height}` },
        ...(drag ? params(drag.sliders) : []),
      ],
      height,
      layer: [
        {
          transform: [
            ...(dragged ?? []),
            ...placed,
            { joinaggregate: [{ op: 'max', field: 'value', as: 'most' }], groupby: sameScale ? [] : ['measure'] },
            { calculate: `max(0, 1 - ${NUMBER} * columns / width)`, as: 'room' },
            { calculate: 'datum.from + (datum.most > 0 ? datum.value / datum.most : 0) * datum.room', as: 'to' },
            { calculate: "datum.label + ', ' + datum.measure + ': ' + datum.text", as: 'told' },
          ],
          layer: [
            {
              mark: 'bar',
              encoding: {
                tooltip: [{ field: 'label' }, { field: 'text', title: 'value' }],
                description: { field: 'told' },
                x,
                x2: { field: 'to' },
                y,
                ...byTechnique(used, { legend: null }), // the bars have their names
              },
            },
            {
              mark: { type: 'text', align: 'left', dx: 4, fontSize: 11, color: INK.text },
              encoding: { x: { ...x, field: 'to' }, y, text: { field: 'text' } },
            },
          ],
        },
        {
          data: { values: measures.map((measure, panel) => ({ measure, panel, row: 0 })) },
          transform: placed,
          mark: { type: 'text', align: 'left', dy: 4, fontSize: 13, fontWeight: 'bold', color: INK.text },
          encoding: { x, y, text: { field: 'measure' } },
        },
      ],
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
