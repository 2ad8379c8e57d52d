import { expect, it } from 'vitest';
import { animatedSvg } from './animated-svg.js';

const svg = (width: number, inside: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" class="marks" width="${width}" height="50" viewBox="0 0 ${width} 50">` +
  `<style>svg:root{color:#222}</style><g role="graphics-symbol" aria-label="words">${inside}</g></svg>`;
const frames = [
  { at: 1_000, svg: svg(100, '<path d="M0 0"/>') },
  { at: 1_250, svg: svg(100, '<path d="M1 1"/>') },
  { at: 2_000, svg: svg(120, '<path d="M2 2"/>') },
];

it('shows each frame for as long as it stood, and holds the last one', () => {
  const made = animatedSvg(frames, { alt: 'a "race"', holdMs: 1_500 });
  expect(made).toContain('width="120" height="50" viewBox="0 0 120 50"');
  expect(made).toContain('@keyframes f0{0%{visibility:hidden}0%{visibility:visible}10%{visibility:hidden}}');
  expect(made).toContain('@keyframes f1{0%{visibility:hidden}10%{visibility:visible}40%{visibility:hidden}}');
  expect(made).toContain('@keyframes f2{0%{visibility:hidden}40%{visibility:visible}}');
  expect(made).toContain('#f2{animation:f2 2.5s step-end infinite}');
  expect(made.match(/<g class="f"/g)).toHaveLength(3);
  expect(made.match(/<path/g)).toHaveLength(3);
  // The words are said once, and the style is there once.
  expect(made).toContain('aria-label="a &#34;race&#34;"');
  expect(made).not.toContain('words');
  expect(made.match(/svg:root/g)).toHaveLength(1);
});

it('stands where the reader asks for less motion', () => {
  const made = animatedSvg(frames, { alt: '', holdMs: 1_500 });
  expect(made).toMatch(/prefers-reduced-motion:reduce\)\{\.f\{animation:none!important\}#f2\{visibility:visible\}\}/);
});

it('says what it cannot take', () => {
  expect(() => animatedSvg([], { alt: '', holdMs: 1 })).toThrow('Expected at least one frame');
  expect(() => animatedSvg([{ at: 0, svg: '<p>' }], { alt: '', holdMs: 1 })).toThrow('Expected an SVG with a width');
});
