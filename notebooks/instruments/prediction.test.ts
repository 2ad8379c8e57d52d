import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MimeBundle } from './display.js';
import { guessesIn, isClose, remember } from './guesses.js';
import { gap, predict } from './prediction.js';

const shown = vi.hoisted((): MimeBundle[] => []);
vi.mock('./display.js', () => ({ show: (bundle: MimeBundle) => shown.push(bundle) }));

let memory: string;
beforeAll(async () => {
  memory = await mkdtemp(join(tmpdir(), 'polling-lab-test-'));
});
afterAll(() => rm(memory, { recursive: true }));
beforeEach(() => void shown.splice(0));

const notebook = '03-short-polling';
const reader = () => ({ hasReader: true, notebook, memory });
const runner = () => ({ hasReader: false, notebook, memory });
const text = () => shown.map((bundle) => bundle['text/plain']);
const html = () => shown.map((bundle) => bundle['text/html']).join('\n');

describe('for a reader', () => {
  it('says the prediction immediately, and draws it beside the measurement later, with the gap and what it tells', () => {
    const guess = predict('polls', 8, reader());
    expect(guess.compare(7, { ours: 9, why: 'Each round takes the request, too.' })).toBe(8);
    expect(text()).toEqual([
      'You predict polls: 8',
      'polls: you predicted 8, measured 7: 1 (12.5 %) less than predicted. Each round takes the request, too.',
    ]);
    expect(html()).toMatch(/<svg .*>you 8<.*>measured 7</);
    expect(html()).toMatch(/<details><summary>Our guess<.*We predicted 9: 2 \(22.2 %\) less than predicted\./);
  });

  it('asks for a number where there is none, lets the course go on, and gives our guess away only in a fold', () => {
    const guess = predict('polls', null, reader());
    expect(guess.compare(7, { ours: 9 })).toBeNull();
    expect(text()).toEqual([
      '✎ polls: say a number first. Write it in place of null, and run this cell again.',
      'polls: measured 7. You said no number, so there is nothing to compare.',
    ]);
    expect(html()).not.toContain('<svg');
    expect(html().replace(/<details>.*<\/details>/, '')).not.toContain('9');
    expect(html()).toContain('We predicted 9');
  });

  it('draws the marks in order, inside of the picture, whatever the numbers are', () => {
    for (const [yours, measured] of [
      [8, 7],
      [0, 0],
      [-4, 5],
      [1, 1e12],
      [5, 5],
    ] as const) {
      predict('x', yours, reader()).compare(measured, { ours: yours });
      const [ring, dot] = [...html().matchAll(/<circle cx="(-?\d+)"/g)].slice(-2).map(([, x]) => Number(x));
      expect(Math.sign(ring! - dot!)).toBe(Math.sign(yours - measured));
      expect(Math.min(ring!, dot!)).toBeGreaterThan(0);
      expect(Math.max(ring!, dot!)).toBeLessThan(440);
    }
  });

  it('shows text as text', () => {
    predict('<b>polls', 1, reader()).compare(1, { ours: 1, why: '<i>' });
    expect(html()).not.toMatch(/<[bi]>/);
  });

  it('remembers the number that was compared first, and no blank', () => {
    const remembered = () => guessesIn(notebook, memory).filter(({ what }) => what === 'requests, in all');
    predict('requests, in all', null, reader()).compare(7, { ours: 9 });
    expect(remembered()).toEqual([]);
    predict('requests, in all', 8, reader()).compare(7, { ours: 9 });
    predict('requests, in all', 7, reader()).compare(7, { ours: 9 });
    expect(remembered()).toMatchObject([{ notebook, predicted: 8, measured: 7 }]);
  });
});

describe('where the runner executes the notebook', () => {
  it('compares our guess, remembers nothing, and leaves a line to write on', () => {
    const guess = predict('bytes', null, runner());
    expect(guess.compare(7, { ours: 9 })).toBe(9);
    expect(text()).toEqual(['bytes: ____', 'bytes: we predicted 9, measured 7: 2 (22.2 %) less than predicted.']);
    expect(html()).not.toContain('<details>');
    expect(guessesIn(notebook, memory).filter(({ what }) => what === 'bytes')).toEqual([]);
  });

  it('takes a number that was left in the notebook', () => {
    expect(predict('bytes left', 3, runner()).compare(7, { ours: 9 })).toBe(3);
    expect(guessesIn(notebook, memory).filter(({ what }) => what === 'bytes left')).toEqual([]);
  });
});

it('says what to do where the guess is no number', () => {
  expect(() => predict('polls', Number.NaN)).toThrow(/Expected a number of polls, got NaN.*guess/);
});

it.each([
  [8, 8, 'exact'],
  [8, 10, '2 (25 %) more than predicted'],
  [0, 3, '3 more than predicted'],
  [-4, -5, '1 (25 %) less than predicted'],
])('speaks of the gap between %d and %d', (predicted, measured, words) => {
  expect(gap(predicted, measured)).toBe(words);
});

describe('the memory', () => {
  const guess = { notebook: '05-server-sent-events', what: 'events', predicted: 8, measured: 11 };

  it('is bounded, in files a notebook and in the letters of a name, and has no file outside of its folder', async () => {
    for (let i = 0; i < 60; i++) remember({ ...guess, what: `events ${i} ${'x'.repeat(1_000)}` }, memory);
    const names = await readdir(join(memory, guess.notebook));
    expect(names).toHaveLength(50);
    expect(Math.max(...names.map(({ length }) => length))).toBeLessThan(100);
    remember({ ...guess, notebook: '../elsewhere' }, join(memory, 'within'));
    remember({ ...guess, notebook: '' }, memory);
    remember({ ...guess, notebook: '04-long-polling', what: '../../escaped' }, memory);
    expect(await readdir(join(memory, '04-long-polling'))).toEqual(['-escaped.json']);
    expect((await readdir(memory)).sort()).toEqual(['03-short-polling', '04-long-polling', guess.notebook]);
  });

  it('fails no lesson where it cannot be written', () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    remember(guess, '/dev/null');
    expect(said).toHaveBeenCalledWith(expect.stringContaining('cannot be remembered'));
    said.mockRestore();
  });
});

it.each([
  [10, 11, true],
  [10, 12, false],
  [0, 0, true],
  [1, 0, false],
])('takes %d for a measured %d as close: %s', (predicted, measured, close) => {
  expect(isClose({ notebook, what: '', predicted, measured })).toBe(close);
});
