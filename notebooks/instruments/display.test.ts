import { afterEach, expect, it } from 'vitest';
import { waterfall } from './charts/waterfall.js';
import { newDisplay } from './display.js';
import { draw, live } from './draw.js';

type Written = {
  bundle: Record<string, unknown>;
  displayId: string;
  update: boolean;
  metadata?: unknown;
};
const key = Symbol.for('polling-lab.display');
const kernel = globalThis as Record<symbol, unknown>;

function record(): Written[] {
  const written: Written[] = [];
  kernel[key] = (bundle: Record<string, unknown>, options: Omit<Written, 'bundle'>) =>
    written.push({ bundle, ...options });
  return written;
}
afterEach(() => {
  delete kernel[key];
});

it('replaces what it showed before, under one id', () => {
  const written = record();
  const display = newDisplay();
  display.show({ 'text/plain': 'one' });
  display.show({ 'text/plain': 'two' });
  newDisplay().show({ 'text/plain': 'another' });
  expect(written.map(({ update }) => update)).toEqual([false, true, false]);
  expect(written[0]?.displayId).toBe(written[1]?.displayId);
  expect(written[2]?.displayId).not.toBe(written[0]?.displayId);
});

it('sends a chart in every form at the same time, with its alternative text', async () => {
  const written = record();
  await draw(waterfall([], { title: 'Nothing yet' }));
  expect(Object.keys(written[0]?.bundle ?? {})).toEqual([
    'application/vnd.vegalite.v5+json',
    'image/svg+xml',
    'text/plain',
  ]);
  expect(written[0]?.bundle['text/plain']).toMatch(/^Nothing yet/);
  expect(written[0]?.metadata).toEqual({
    'image/svg+xml': { alt: expect.stringMatching(/^Nothing yet/) },
  });
});

it('redraws while work goes on, and ends with the whole chart', async () => {
  const written = record();
  let finish = (_: string) => {};
  const work = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const seen: (string | undefined)[] = [];
  const picture = async (result?: string) => {
    seen.push(result);
    if (seen.length === 3) finish('done');
    return waterfall([], { title: seen.length < 3 ? 'as it was' : 'T' });
  };
  expect(await live(picture, work)).toBe('done');
  expect(seen).toEqual([undefined, undefined, undefined, 'done']);
  expect(new Set(written.map(({ displayId }) => displayId)).size).toBe(1);
  // The second was as the first, and was not drawn again.
  expect(written.map(({ bundle }) => 'application/vnd.vegalite.v5+json' in bundle)).toEqual([false, false, true]);
});

it('leaves the last picture standing when the work fails, and fails with it', async () => {
  const written = record();
  const work = Promise.reject(new Error('cut off'));
  await expect(live(() => waterfall([], { title: 'T' }), work)).rejects.toThrow('cut off');
  expect(written.length).toBeGreaterThan(0);
});
