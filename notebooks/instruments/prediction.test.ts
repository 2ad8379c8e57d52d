import { afterEach, expect, it, vi } from 'vitest';
import { gap, predict } from './prediction.js';

const print = vi.spyOn(console, 'log').mockImplementation(() => {});
afterEach(() => print.mockClear());

it('prints the prediction immediately, and beside the measurement later', () => {
  const guess = predict('polls', 8);
  expect(print).toHaveBeenLastCalledWith('Predicted polls: 8');
  guess.compare(7);
  expect(print).toHaveBeenLastCalledWith('polls: predicted 8, measured 7: 1 (12.5 %) less than predicted');
});

it.each([
  [8, 8, 'exact'],
  [8, 10, '2 (25 %) more than predicted'],
  [0, 3, '3 more than predicted'],
  [-4, -5, '1 (25 %) less than predicted'],
])('speaks of the gap between %d and %d', (predicted, measured, text) => {
  expect(gap(predicted, measured)).toBe(text);
});

it('says what to do where the guess is no number', () => {
  expect(() => predict('polls', Number.NaN)).toThrow(/Expected a number of polls, got NaN.*guess/);
});
