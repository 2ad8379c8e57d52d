import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { checkout } from '../shared/paths.mjs';

/** A page that shows charts. The color of its text is the charts' `currentColor`. */
interface Page {
  name: string;
  paper: Color;
  ink: Color;
}

/** Red, green and blue from 0 to 255, and how opaque. */
type Color = [red: number, green: number, blue: number, alpha: number];

/** WCAG 2.2, 1.4.3 (text) and 1.4.11 (what one needs to see of a picture). */
const LEAST = { text: 4.5, shape: 3 };

/** A grid only helps the eye along: nothing is read from it alone. */
const DECORATION = new Set(['axis-grid']);

/** Colors that JupyterLab has vega-embed set where its own theme is dark. A chart must not depend on them: see `charts/chart.ts`. */
const LAB_DARK = {
  background: '#333',
  title: { color: '#fff', subtitleColor: '#fff' },
  style: { 'guide-label': { fill: '#fff' }, 'guide-title': { fill: '#fff' } },
  axis: { domainColor: '#fff', gridColor: '#888', tickColor: '#fff' },
};

function pages(): Page[] {
  const style = readFileSync(join(checkout, 'scripts', 'handouts', 'template', 'style.css'), 'utf8');
  const values = (name: string) =>
    [...style.matchAll(new RegExp(`--${name}: (#\\w+);`, 'g'))].map(([, value]) => colorOf(value as string)!);
  const [papers, inks] = [values('paper'), values('ink')];
  return [
    { name: "JupyterLab's light theme", paper: [255, 255, 255, 1], ink: [0, 0, 0, 0.87] },
    { name: "JupyterLab's dark theme", paper: [17, 17, 17, 1], ink: [255, 255, 255, 1] },
    { name: 'a light handout', paper: papers[0]!, ink: inks[0]! },
    { name: 'a dark handout', paper: papers[1]!, ink: inks[1]! },
  ];
}

/** What Vega has drawn: a mark of several items, of which a group has marks again. The part that is used, typed by hand. */
interface Mark {
  marktype: string;
  role?: string;
  items: Item[];
}
interface Item {
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  fill?: string | null;
  stroke?: string | null;
  opacity?: number;
  fillOpacity?: number;
  strokeOpacity?: number;
  strokeWidth?: number;
  text?: unknown;
  bounds: { x1: number; y1: number; x2: number; y2: number };
  items?: Mark[];
}
interface Vega {
  parse(spec: unknown): unknown;
  View: new (
    runtime: unknown,
    options: { renderer: 'none' },
  ) => { runAsync(): Promise<unknown>; scenegraph(): { root: Mark }; finalize(): unknown };
}

/**
 * Tells what of a chart is too pale, or has a color of its own theme's, on any of the pages that show it: text of less than
 * 4.5:1, and lines and shapes of less than 3:1 against what is behind them. One line a problem.
 *
 * @param spec a chart's Vega-Lite, as a notebook drew it.
 */
export async function contrastFaults(spec: unknown): Promise<string[]> {
  const require = createRequire(import.meta.url);
  const { compile }: { compile(spec: unknown, options: object): { spec: unknown } } = require('vega-lite');
  const { parse, View }: Vega = require('vega');
  const view = new View(parse(compile(spec, { config: LAB_DARK }).spec), { renderer: 'none' });
  await view.runAsync();
  const { root } = view.scenegraph();
  view.finalize();
  return pages().flatMap((page) => faultsOn(page, root));
}

function faultsOn(page: Page, root: Mark): string[] {
  /** The first of each kind and color. */
  const faults = new Map<string, string>();
  /** What has been filled so far, in the order of painting. */
  const areas: { left: number; top: number; right: number; bottom: number; color: Color }[] = [];

  const visit = ({ marktype, role = '', items }: Mark, dx: number, dy: number) => {
    const own: typeof areas = []; // what is beside an item is not behind it
    for (const item of items) {
      const { x1, y1, x2, y2 } = item.bounds;
      const box = { left: dx + x1, top: dy + y1, right: dx + x2, bottom: dy + y2 };
      const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
      const under = areas.filter(({ left, top, right, bottom }) => left <= x && x <= right && top <= y && y <= bottom);
      const behind = under.reduce((paper, { color }) => over(color, paper), page.paper);
      const painted = (color: string | null | undefined, opacity = 1): Color | null => {
        const read = color ? colorOf(color, page.ink) : null;
        return read && [read[0], read[1], read[2], read[3] * (item.opacity ?? 1) * opacity];
      };
      const isFlat = marktype === 'rect' && (item.width === 0 || item.height === 0);
      const fill = isFlat ? null : painted(item.fill, item.fillOpacity);
      const stroke = item.strokeWidth === 0 ? null : painted(item.stroke, item.strokeOpacity);
      if (marktype !== 'group' && !DECORATION.has(role) && item.text !== '') {
        const drawn = [fill, stroke].filter((color) => color !== null && color[3] > 0) as Color[];
        const best = Math.max(...drawn.map((color) => ratio(over(color, behind), behind)));
        const least = marktype === 'text' ? LEAST.text : LEAST.shape;
        if (drawn.length > 0 && best < least) {
          const [of, color] = [marktype === 'text' ? `text "${item.text}"` : `a ${marktype}`, item.fill ?? item.stroke];
          const pale = `${of} (${color}) has ${best.toFixed(1)}:1 on ${page.name}, expected ${least}:1`;
          faults.set(`${marktype} ${color}`, faults.get(`${marktype} ${color}`) ?? pale);
        }
      }
      if (fill && ['rect', 'group', 'area'].includes(marktype)) own.push({ ...box, color: fill });
      for (const mark of item.items ?? []) visit(mark, dx + (item.x ?? 0), dy + (item.y ?? 0));
    }
    areas.push(...own);
  };
  visit(root, 0, 0);
  return [...faults.values()];
}

const NAMED: Record<string, Color | null> = {
  black: [0, 0, 0, 1],
  white: [255, 255, 255, 1],
  transparent: null,
  none: null,
};

/** A color as a chart names it; null for none. */
function colorOf(name: string, ink: Color | null = null): Color | null {
  if (name === 'currentColor') return ink;
  if (name in NAMED) return NAMED[name] as Color | null;
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(name)?.[1];
  if (!digits) throw new Error(`expected a color as "#RRGGBB" or "currentColor", got "${name}"`);
  const pairs = digits.length === 3 ? [...digits].map((digit) => digit + digit) : digits.match(/../g)!;
  const [red, green, blue] = pairs.map((pair) => Number.parseInt(pair, 16)) as [number, number, number];
  return [red, green, blue, 1];
}

/** What is seen of a color that lets another through. */
function over([red, green, blue, alpha]: Color, under: Color): Color {
  const blend = (upper: number, lower: number) => alpha * upper + (1 - alpha) * lower;
  return [blend(red, under[0]), blend(green, under[1]), blend(blue, under[2]), 1];
}

/** WCAG's contrast ratio of two opaque colors, from 1 to 21: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio. */
function ratio(a: Color, b: Color): number {
  const [darker, lighter] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance([red, green, blue]: Color): number {
  const linear = (value: number) =>
    value <= 0.04045 * 255 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}
