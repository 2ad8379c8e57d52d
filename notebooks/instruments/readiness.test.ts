import { expect, it } from 'vitest';
import { kernel, node } from './readiness.js';

it('tells the kernel of the course from a stock tslab', () => {
  expect(kernel(true)).toMatchObject({ ready: true, found: 'the one that comes with the course' });
  expect(kernel(false)).toMatchObject({ ready: null, found: 'a stock tslab', mend: expect.stringMatching(/venv/) });
});

it.each([
  ['20.18.9', false],
  ['20.19.0', true],
  ['22.1.0', true],
  ['8.99.0', false],
])('says of Node %s whether it will do: %s', async (version, ready) => {
  expect(await node(version)).toMatchObject({ ready, found: version, mend: expect.stringContaining('20.19') });
});
