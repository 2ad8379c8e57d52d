import { expect, it } from 'vitest';
// @ts-expect-error: it is JavaScript, and has no types for the cells' compiler
import { visible as elsewhere } from '../../scripts/shared/visible.mjs';
import { bars } from './charts/bars.js';
import { toSvg } from './draw.js';
import { htmlTable, textTable } from './table.js';
import { visible } from './visible.js';

const ESCAPES = 'a\u001b[2Jb\u0000c\u202ed\u200be';
const SHOWN = 'a\\u{1b}[2Jb\\u{0}c\\u{202e}d\\u{200b}e';

it('shows what cannot be seen as its code, as the server and the commands do', () => {
  expect(visible(ESCAPES)).toBe(SHOWN);
  const all = Array.from({ length: 0x11_0000 }, (_, code) => String.fromCodePoint(code)).join(' ');
  expect(visible(all) === elsewhere(all, { most: Number.POSITIVE_INFINITY, lines: true })).toBe(true);
});

it('is what tables and charts show', async () => {
  for (const shown of [htmlTable, textTable]) {
    const text = shown([{ [ESCAPES]: ESCAPES }], ESCAPES);
    expect(text.split(SHOWN)).toHaveLength(4);
    expect(visible(text)).toBe(text);
  }
  const parts = { [ESCAPES]: { [ESCAPES]: 1 } };
  const svg = await toSvg(bars({ title: ESCAPES, x: 'x', parts, colors: { [ESCAPES]: '#000' } }));
  expect(svg).toContain(SHOWN);
  expect(visible(svg)).toBe(svg);
});
