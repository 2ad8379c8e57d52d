import { FAINT, INK } from '../technique.js';
import { type Chart, chart } from './chart.js';

interface Progress {
  /** What goes on, as a sentence: `Uploading 120 MB`. */
  title: string;
  subtitle?: string;
  /** How much of it is done: 0 to 1, as in a job. */
  done: number;
  /** The bar's color. Default: gray. */
  color?: string;
}

/**
 * A progress bar, to be redrawn in place.
 *
 * @example await live(() => progress({ title: 'Uploading', done: sent / total }), upload(run.fetch, jobsUrl, clip));
 */
export function progress({ title, subtitle, done, color = INK.quiet }: Progress): Chart {
  const percent = `${Math.round(100 * done)} %`;
  const x = { type: 'quantitative', scale: { domain: [0, 1] }, axis: null };
  const tooltip = { field: 'percent' };
  return chart({
    title,
    subtitle,
    data: [{ done, percent }],
    numbers: percent,
    margin: 44,
    body: {
      height: 18,
      layer: [
        {
          mark: { type: 'rect', color: INK.text, opacity: FAINT.span },
          encoding: { x: { ...x, datum: 0 }, x2: { datum: 1 }, tooltip },
        },
        { mark: { type: 'bar', color }, encoding: { x: { ...x, field: 'done' }, tooltip } },
        {
          mark: { type: 'text', align: 'left', dx: 6, color: INK.text, fontSize: 12 },
          encoding: { x: { ...x, datum: 1 }, text: { field: 'percent' } },
        },
      ],
    },
  });
}
