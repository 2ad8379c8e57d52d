/** A picture of something that moves, as it was after some milliseconds. */
export interface Frame {
  at: number;
  /** A whole SVG. All frames have the same axes, and so nearly the same size. */
  svg: string;
}

/**
 * Makes one SVG of many: it shows each frame for as long as it stood, the last one for `holdMs`, and begins again. It needs
 * no script, so that it moves in an `<img>`, as on GitHub. Where the reader's system asks for less motion, the last frame stands.
 *
 * @param alt what is seen, in words.
 * @param holdMs in milliseconds.
 */
export function animatedSvg(frames: Frame[], { alt, holdMs }: { alt: string; holdMs: number }): string {
  const [first, last] = [frames[0], frames.at(-1)];
  if (!first || !last) throw new Error('Expected at least one frame, got none.');
  const wholeMs = last.at - first.at + holdMs;
  const percent = (at: number) => Number(((100 * (at - first.at)) / wholeMs).toFixed(2));
  const parts = frames.map(({ svg }) => partsOf(svg));
  const [width, height] = [parts.map(({ width }) => width), parts.map(({ height }) => height)].map((all) =>
    Math.max(...all),
  );
  const rules = frames.map((frame, i) => {
    const to = frames[i + 1] ? percent(frames[i + 1]!.at) : 100;
    const shown = `${percent(frame.at)}%{visibility:visible}${to < 100 ? `${to}%{visibility:hidden}` : ''}`;
    return `@keyframes f${i}{0%{visibility:hidden}${shown}}#f${i}{animation:f${i} ${wholeMs / 1_000}s step-end infinite}`;
  });
  const still = `@media (prefers-reduced-motion:reduce){.f{animation:none!important}#f${frames.length - 1}{visibility:visible}}`;
  const drawn = parts.map(({ inside }, i) => `<g class="f" id="f${i}">${inside}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" `,
    `viewBox="0 0 ${width} ${height}" role="img" aria-label="${alt.replace(/[&<"]/g, (char) => `&#${char.charCodeAt(0)};`)}">`,
    `<style>${parts[0]!.style}.f{visibility:hidden}${rules.join('')}${still}</style>`,
    ...drawn,
    '</svg>\n',
  ].join('');
}

/** What is inside of an SVG, its style apart, without the words for those who do not see it: those are said once, for all frames. */
function partsOf(svg: string) {
  const [whole, head = ''] = /<svg([^>]*)>/.exec(svg) ?? [];
  const size = (name: string) => Number(new RegExp(` ${name}="([\\d.]+)"`).exec(head)?.[1]);
  const [width, height] = [size('width'), size('height')];
  if (!whole || !width || !height)
    throw new Error(`Expected an SVG with a width and a height, got "${svg.slice(0, 80)}…".`);
  const [, style = ''] = /<style>(.*?)<\/style>/s.exec(svg) ?? [];
  const inside = svg
    .slice(svg.indexOf(whole) + whole.length, svg.lastIndexOf('</svg>'))
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/ (role|aria-[a-z]+|class|pointer-events)="[^"]*"/g, '');
  return { width, height, style, inside };
}
