import type { RememberedGuess } from '../guesses.js';
import { number } from '../table.js';
import { FAINT, INK } from '../technique.js';
import { type Chart, chart, rounded, tell } from './chart.js';

/** What is further off than this is drawn at the edge. It is also where a guess stands whose measurement was zero, or that was zero. */
const FURTHEST = 100;
/** The least height of the chart, as a factor: guesses that were all close don't seem far off. */
const NEAREST = 2;

/** The guess as a share of the measurement, from 1/100 to 100. */
export function ratioOf({ predicted, measured }: Pick<RememberedGuess, 'predicted' | 'measured'>): number {
  if (predicted === measured) return 1;
  const ratio = predicted / measured; // infinite where zero was measured
  return Math.min(FURTHEST, Math.max(1 / FURTHEST, ratio));
}

/** By which factor the middle one of these guesses was off: 1 is exact. */
function factorOf(guesses: RememberedGuess[]): number {
  const factors = guesses.map((guess) => Math.max(ratioOf(guess), 1 / ratioOf(guess))).sort((a, b) => a - b);
  return factors[factors.length >> 1] as number;
}

/** How many guesses it takes to tell the earlier half of them from the later one. */
const ENOUGH = 6;

const inOrder = (guesses: RememberedGuess[]) => [...guesses].sort((a, b) => a.at.localeCompare(b.at));

/** A title for {@link guessed}: whether the later guesses are closer than the earlier ones. */
export function closeness(given: RememberedGuess[]): string {
  const guesses = inOrder(given);
  const off = (some: RememberedGuess[]) => (factorOf(some) === 1 ? 'exact' : `${number(factorOf(some))}× off`);
  if (guesses.length === 1) return `Your first prediction: ${off(guesses)}`;
  if (guesses.length < ENOUGH) return `Your ${guesses.length} predictions: ${off(guesses)}, in the median`;
  const half = guesses.length >> 1;
  return `Your first ${half} predictions: ${off(guesses.slice(0, half))}; your last ${half}: ${off(guesses.slice(-half))}`;
}

/** Each guess against its measurement, in the order in which they were compared: on the line, a guess was exact. */
export function guessed(guesses: RememberedGuess[], { title }: { title: string }): Chart {
  const data = inOrder(guesses).map((guess, i) => {
    const { what, predicted, measured, notebook } = guess;
    return { order: i + 1, ratio: ratioOf(guess), what, predicted, measured, notebook: notebook.slice(0, 2) };
  });
  const furthest = data.reduce((most, { ratio }) => Math.max(most, ratio, 1 / ratio), NEAREST);
  const ticks = [1, 2, 10, FURTHEST].filter((factor) => factor <= furthest);
  const y = {
    field: 'ratio',
    type: 'quantitative',
    title: 'prediction / measurement',
    scale: { type: 'log', domain: [1 / furthest, furthest], nice: false, padding: 10 },
    axis: {
      values: [...ticks.map((factor) => 1 / factor), ...ticks],
      labelExpr:
        "datum.value == 1 ? 'exact' : datum.value < 1 ? '1/' + round(1 / datum.value) : round(datum.value) + '×'",
    },
  };
  const x = {
    field: 'order',
    type: 'quantitative',
    title: 'your predictions, in order',
    scale: { domain: [0.5, Math.max(ENOUGH, data.length) + 0.5], nice: false },
    axis: { tickMinStep: 1, format: 'd', grid: false },
  };
  return chart({
    title,
    subtitle: 'beside a dot: its notebook; the edge is 100× or more',
    data,
    numbers: tell(
      data,
      ({ what, predicted, measured }) => `${what}: ${number(predicted)}, measured ${number(measured)}`,
    ),
    body: {
      height: 200,
      layer: [
        {
          data: { values: [{ ratio: 1 }] },
          mark: { type: 'rule', color: INK.text, opacity: FAINT.rule },
          encoding: { y, tooltip: { value: 'on this line, the prediction equals the measurement' } },
        },
        {
          mark: { type: 'point', filled: true, size: 80, opacity: 1, color: INK.text },
          encoding: {
            x,
            y,
            tooltip: [{ field: 'notebook' }, { field: 'what' }, rounded('predicted'), rounded('measured')],
          },
        },
        {
          mark: { type: 'text', align: 'left', dx: 7, dy: -7, fontSize: 11, color: INK.text },
          encoding: { x, y, text: { field: 'notebook' } },
        },
      ],
    },
  });
}
