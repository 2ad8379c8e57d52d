import { show } from './display.js';
import { PREDICTED, remember } from './guesses.js';
import { escaped, number } from './table.js';
import { NOTEBOOK } from './this-notebook.js';
import { visible } from './visible.js';

/** A number that the reader says before it is measured, or leaves blank. */
export interface Prediction {
  /**
   * Draws the guess beside the measurement on a small line, and says how far off it was. Without a guess it shows the
   * measurement alone. The course's own guess is folded below.
   *
   * @returns the guess that was compared: the reader's, or ours where no reader is (see {@link predict}); null if blank.
   */
  compare(measured: number, course: CourseGuess): number | null;
}

/** What the course says of a prediction. It stands where the measurement does, so that it gives nothing away before. */
export interface CourseGuess {
  /** The guess of those who wrote the notebook: the formula's, or the obvious one, which may be wrong. */
  ours: number;
  /** What the gap tells, in one sentence that is true whatever the guess was. */
  why?: string;
}

/** Whether a reader is there to say a number. A notebook that the runner executes, for CI or on paper, has none. */
const HAS_READER = !process.env.POLLING_LAB_RUN;

/**
 * Says a number before it is measured, so that it cannot be adjusted afterwards. The first number that you compare is
 * remembered in this checkout, in `.polling-lab/predicted`.
 *
 * A blank is an output, not an error: "Run All" gets through the notebook, and each comparison says that there was
 * nothing to compare. Where the runner executes the notebook there is no reader to say a number: `compare` takes the
 * course's own, and on paper the prediction is a line to write on.
 *
 * @param what What is counted, with its unit: `polls`, `bytes per poll`.
 * @param yours What you expect, however rough; null while you have not said it.
 * @throws TypeError if `yours` is `NaN` or infinite.
 * @example
 * const guess = predict('polls', null); // put your number in place of null
 * guess.compare(polls, { ours: Math.ceil(durationMs / intervalMs) + 1 });
 */
export function predict(
  what: string,
  yours: number | null | undefined,
  { hasReader = HAS_READER, notebook = NOTEBOOK, memory = PREDICTED } = {},
): Prediction {
  const isBlank = yours === null || yours === undefined;
  if (!isBlank && !Number.isFinite(yours)) {
    throw new TypeError(`Expected a number of ${what}, got ${yours}. Put in your guess, however rough.`);
  }
  if (!isBlank) say(`You predict ${what}: ${number(yours)}`);
  else if (hasReader) say(`✎ ${what}: say a number first. Write it in place of null, and run this cell again.`);
  else
    show({ 'text/html': `<div>${escaped(visible(what))}: ${LINE_TO_WRITE_ON}</div>`, 'text/plain': `${what}: ____` });
  return {
    compare(measured, { ours, why = '' }) {
      if (hasReader && !isBlank) remember({ notebook, what, predicted: yours, measured }, memory);
      const guess = !isBlank ? yours : hasReader ? null : ours;
      const who = isBlank ? 'we' : 'you';
      showComparison(what, { guess, who, measured, why, ...(guess === ours ? {} : { ours }) });
      return guess;
    },
  };
}

const LINE_TO_WRITE_ON =
  '<span style="display:inline-block;width:9em;border-bottom:1px solid currentColor">&nbsp;</span>';

function say(text: string): void {
  show({ 'text/html': `<div>${escaped(visible(text))}</div>`, 'text/plain': visible(text) });
}

interface Comparison {
  guess: number | null;
  who: 'you' | 'we';
  measured: number;
  why: string;
  /** The course's guess, where it is not the one that is compared. */
  ours?: number;
}

function showComparison(what: string, { guess, who, measured, why, ours }: Comparison): void {
  const said =
    guess === null
      ? `${what}: measured ${number(measured)}. You said no number, so there is nothing to compare.`
      : `${what}: ${who} predicted ${number(guess)}, measured ${number(measured)}: ${gap(guess, measured)}.`;
  const ourGap = ours === undefined ? '' : `We predicted ${number(ours)}: ${gap(ours, measured)}.`;
  const fold = ourGap && `<details><summary>Our guess</summary><div>${escaped(ourGap)}</div></details>`;
  const line = guess === null ? '' : lineOf(guess, measured, who);
  const text = (words: string) => escaped(visible(words));
  show({
    'text/html': `<div>${text(said)}${line}${why && `<div>${text(why)}</div>`}${fold}</div>`,
    'text/plain': visible([said, why].filter(Boolean).join(' ')),
  });
}

/** The gap in words. */
export function gap(predicted: number, measured: number): string {
  const difference = measured - predicted;
  if (difference === 0) return 'exact';
  const share = predicted === 0 ? '' : ` (${number(Math.abs((100 * difference) / predicted))} %)`;
  return `${number(Math.abs(difference))}${share} ${difference > 0 ? 'more' : 'less'} than predicted`;
}

const [WIDTH, EDGE] = [440, 12];

/**
 * The guess (a ring, named above the line) and the measurement (a dot, named below it) on a line from zero, and the gap
 * between them. It is drawn in the color of the text around it, so that it is seen on a light page, a dark one and paper.
 */
function lineOf(guess: number, measured: number, who: Comparison['who']): string {
  const [least, most] = [Math.min(0, guess, measured), Math.max(0, guess, measured)];
  const at = (value: number) => Math.round(EDGE + ((WIDTH - 2 * EDGE) * (value - least)) / (most - least || 1));
  const [from, to] = [at(guess), at(measured)];
  const name = (x: number, y: number, text: string) => {
    const anchor = x < 70 ? 'start' : x > WIDTH - 70 ? 'end' : 'middle';
    return `<text x="${x + { start: -6, end: 6, middle: 0 }[anchor]}" y="${y}" text-anchor="${anchor}">${text}</text>`;
  };
  return [
    `<svg viewBox="0 0 ${WIDTH} 44" width="${WIDTH}" height="44" aria-hidden="true" style="display:block;max-width:100%" `,
    'font-family="system-ui, sans-serif" font-size="12" fill="currentColor" stroke="none">',
    `<path d="M${EDGE} 22H${WIDTH - EDGE}" stroke="currentColor" stroke-opacity="0.4"/>`,
    `<path d="M${from} 22H${to}" stroke="currentColor" stroke-width="3"/>`,
    `<circle cx="${from}" cy="22" r="6.5" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
    `<circle cx="${to}" cy="22" r="4"/>`,
    name(from, 12, `${who} ${number(guess)}`),
    name(to, 41, `measured ${number(measured)}`),
    '</svg>',
  ].join('');
}
