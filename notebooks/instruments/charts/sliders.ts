import { number } from '../table.js';

/** A number that the reader can drag. */
export interface Slider {
  /** What it is, with the unit: `duration of the job (ms)`. */
  label: string;
  from: number;
  to: number;
  /** Default: a hundredth of the range. */
  step?: number;
  /** Where it stands at first, and on paper: as it was measured. */
  value: number;
}

/** A formula whose numbers can be dragged wherever the chart is shown: Vega computes it, no kernel. */
export interface Formula {
  /** In Vega's expression language, https://vega.github.io/vega/docs/expressions/. It knows each slider by its name. */
  expression: string;
  sliders: Record<string, Slider>;
}

/** Sliders as parameters of a Vega-Lite specification. */
export const params = (sliders: Record<string, Slider>) =>
  Object.entries(sliders).map(([name, { label, from, to, step = (to - from) / 100, value }]) => ({
    name,
    value,
    bind: { input: 'range', name: `${label} `, min: from, max: to, step },
  }));

/** The ranges in words, for those who cannot drag: on paper, and in a terminal. */
export const ranges = (sliders: Record<string, Slider>) =>
  `sliders: ${Object.values(sliders)
    .map(({ label, from, to }) => `${label} from ${number(from)} to ${number(to)}`)
    .join(', ')}`;

/** Writes names of an expression as what a row has under them. */
export const ofRow = (expression: string, names: string[]) =>
  names.reduce((text, name) => text.replace(new RegExp(`(?<![\\w.])${name}\\b`, 'g'), `datum.${name}`), expression);

interface Vega {
  parse(spec: unknown): unknown;
  View: new (
    runtime: unknown,
    options: { renderer: 'none' },
  ) => { run(): unknown; data(name: string): ({ [name: string]: number } & { result: number })[]; finalize(): unknown };
}

/**
 * Holds an expression equal to the function that the cell predicts with, as Vega computes it, over the whole of what can be
 * dragged.
 *
 * @throws an Error that says where they differ
 */
export function assertSame(
  { expression, sliders }: Formula,
  predict: (at: Record<string, number>) => number,
  samples = 200,
): void {
  const names = Object.keys(sliders);
  // Steps of an irrational part of each range: spread evenly, and alike in every run.
  const rows = Array.from({ length: samples }, (_, i) =>
    Object.fromEntries(
      names.map((name, which) => {
        const { from, to } = sliders[name] as Slider;
        const share = (i * Math.sqrt([2, 3, 5, 7, 11, 13][which % 6] as number)) % 1;
        return [name, from + share * (to - from)];
      }),
    ),
  );
  const { parse, View }: Vega = require('vega');
  const transform = [{ type: 'formula', as: 'result', expr: ofRow(expression, names) }];
  const view = new View(parse({ data: [{ name: 'rows', values: rows, transform }] }), { renderer: 'none' });
  view.run();
  const computed = view.data('rows');
  view.finalize();
  for (const { result, ...at } of computed) {
    const expected = predict(at);
    if (Math.abs(result - expected) <= 1e-9 * Math.abs(expected) || Object.is(result, expected)) continue;
    const where = names.map((name) => `${name} = ${at[name]}`).join(', ');
    throw new Error(`"${expression}" is not what the cell predicts: expected ${expected}, got ${result} for ${where}`);
  }
}
