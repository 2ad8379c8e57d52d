import { expect, it } from 'vitest';
import { lettered, ticked, tickedOne } from './boxes.js';

it('reads what is ticked', () => {
  expect(ticked`
    [x] log in
    [ ] transcode
    [X] a picture, small
    [] report
  `).toEqual(['log in', 'a picture, small']);
  expect(ticked`
    [ ] log in
  `).toBeNull();
  expect(
    () => ticked`
    [x] log in
    x transcode
  `,
  ).toThrow('Expected a box and a name, such as "[x] log in", got "x transcode".');
});

it('reads the one line that is ticked', () => {
  expect(tickedOne`
    [ ] slow job
    [x] wait too short
  `).toBe('wait too short');
  expect(tickedOne`
    [ ] slow job
  `).toBeNull();
  expect(
    () => tickedOne`
    [x] slow job
    [x] wait too short
  `,
  ).toThrow('Expected one x, got several: at "slow job" and at "wait too short".');
});

it('reads the letters in boxes', () => {
  expect(lettered`
    [b] a proxy that buffers
    [ ] write() is ignored
    [ A ] no heartbeats
  `).toEqual({ a: 'no heartbeats', b: 'a proxy that buffers' });
  expect(lettered`
    [ ] no heartbeats
  `).toBeNull();
  expect(
    () => lettered`
    [a] no heartbeats
    [a] write() is ignored
  `,
  ).toThrow('"a" stands in two boxes: at "no heartbeats" and at "write() is ignored".');
  expect(
    () => lettered`
    [ab] no heartbeats
  `,
  ).toThrow('Expected a box and a name, such as "[a] no heartbeats", got "[ab] no heartbeats".');
});
