import { number } from './table.js';

/** A number that was said before it was measured. */
export interface Prediction {
  readonly predicted: number;
  /** Prints the prediction beside the measurement, and the gap between them in words. */
  compare(measured: number): void;
}

/**
 * Says a number before it is measured, so that it cannot be fitted afterwards.
 *
 * @param what What is counted, with its unit: `polls`, `bytes per poll`.
 * @param predicted What you expect.
 * @example
 * const guess = predict('polls', Math.ceil(durationMs / intervalMs) + 1);
 * guess.compare(polls); // polls: predicted 8, measured 8: exact
 */
export function predict(what: string, predicted: number): Prediction {
  if (!Number.isFinite(predicted)) {
    throw new TypeError(`Expected a number of ${what}, got ${predicted}. Put in your guess, however rough.`);
  }
  console.log(`Predicted ${what}: ${number(predicted)}`);
  return {
    predicted,
    compare(measured) {
      console.log(`${what}: predicted ${number(predicted)}, measured ${number(measured)}: ${gap(predicted, measured)}`);
    },
  };
}

/** The gap in words. */
export function gap(predicted: number, measured: number): string {
  const difference = measured - predicted;
  if (difference === 0) return 'exact';
  const share = predicted === 0 ? '' : ` (${number(Math.abs((100 * difference) / predicted))} %)`;
  return `${number(Math.abs(difference))}${share} ${difference > 0 ? 'more' : 'less'} than predicted`;
}
