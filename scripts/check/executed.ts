import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TECHNIQUES } from '../../server/techniques.js';
import { isCode, type MultilineString, readNotebookFile, textOf } from '../shared/notebook-file.js';
import { courseNotebooks } from '../shared/paths.mjs';
import { contrastFaults } from './contrast.js';

const CHART = 'application/vnd.vegalite.v5+json';
const SVG = 'image/svg+xml';

/** What the kinds of outputs may have between them. */
interface Output {
  output_type: string;
  name?: string;
  text?: MultilineString;
  data?: Record<string, unknown>;
  metadata?: Record<string, { alt?: string }>;
}

/** What fits on a screen of JupyterLab on a laptop, in pixels; what a line and a row of a table take of it. */
const SCREEN_PX = 700;
const LINE_PX = 17;
const ROW_PX = 26;

const COLORS = new Map(Object.entries(TECHNIQUES).map(([name, { color }]) => [name, color.toLowerCase()]));
const OUTLINES = new Set(
  Object.values(TECHNIQUES).flatMap((one) => ('outline' in one ? one.outline.toLowerCase() : [])),
);

/** What is counted needs no unit. */
const COUNTED = /\b(requests?|polls?|clients?|connections?|streams?|events?|jobs?|bytes)\b/;

/**
 * Looks at what the course's notebooks showed when they were executed, in the copies that `npm run notebooks` leaves:
 * every output in words too, none longer than a screen, no warning, no value that is shown only because it is the value of a last line, no path of this machine; every chart with a title, units on its axes, alt
 * text, every name whole, a mark for each row, and contrast on light and dark pages; a technique in the same color everywhere. One line a problem.
 */
export async function checkExecuted(root: string, folder = join(root, 'build', 'notebooks')): Promise<string[]> {
  const problems: string[] = [];
  for (const name of courseNotebooks(root)) {
    const copy = join(folder, name);
    if (!existsSync(copy)) {
      problems.push(`${name}: no executed copy; "npm run notebooks" makes it`);
      continue;
    }
    const { content } = await readNotebookFile(copy);
    for (const cell of content.cells.filter(isCode)) {
      const outputs = cell.outputs as unknown as Output[];
      const each = await Promise.all(outputs.map((output) => faults(output, root)));
      const found = [...each.flat(), ...tooLong(outputs)];
      problems.push(...found.map((what) => `${name}: cell "${cell.id}": ${what}`));
    }
  }
  return problems;
}

const joined = (text: unknown) => textOf((text ?? '') as MultilineString);

async function faults(output: Output, root: string): Promise<string[]> {
  if (output.output_type === 'error') return []; // the runner knows which are wanted
  if (output.output_type === 'stream') {
    const text = joined(output.text);
    const warning = output.name === 'stderr' || /^\(node:\d+\)|\w+Warning:|^WARN\b/m.test(text);
    const path = text.includes(root) ? [`a path of this machine: ${text.trim()}`] : [];
    return [...path, ...(warning ? [`a warning: ${text.trim().split('\n')[0]}`] : [])];
  }
  const { data = {}, metadata } = output;
  if (output.output_type === 'execute_result')
    return [`a value left over: ${joined(data['text/plain']).split('\n')[0]}`];
  const silent = joined(data['text/plain']).trim() === '' ? ['an output without words'] : [];
  if (!(CHART in data) && !(SVG in data)) return silent;
  if (!(CHART in data && SVG in data)) return [...silent, `a chart as ${Object.keys(data).join(', ')} only`];
  const spec = data[CHART] as Spec;
  return [
    ...silent,
    ...chartFaults(spec, joined(data[SVG]), metadata?.[SVG]?.alt ?? ''),
    ...(await contrastFaults(spec)),
  ];
}

interface Spec {
  data: { values: unknown[] };
}

/** What Vega says of an SVG's parts, for screen readers, is the place to look for what they show. */
function chartFaults(spec: Spec, svg: string, alt: string) {
  const labels = [...svg.matchAll(/aria-label="([^"]*)"/g)].map(([, label]) => label as string);
  const titled = labels.some((label) => label.startsWith("Title text '"));
  const axes = labels.filter((label) => /^[XY]-axis .*for a (linear|log) scale/.test(label));
  const nameless = axes.filter((label) => {
    const title = /titled '(.*?)' for/.exec(label)?.[1] ?? '';
    return !/\([^)]+\)$/.test(title) && !COUNTED.test(title);
  });
  const marks = new Map<string, number>();
  for (const [, role] of svg.matchAll(/role="graphics-symbol" aria-roledescription="([a-z ]+)"/g)) {
    marks.set(role as string, (marks.get(role as string) ?? 0) + 1);
  }
  const rows = spec.data.values.length;
  const shortened = [...svg.matchAll(/>([^<]*…)<\/text>/g)].map(([, text]) => text as string);
  const odd = scales(spec).filter(
    ({ name, color }) => COLORS.has(name) && COLORS.get(name) !== color && !OUTLINES.has(color),
  );
  return [
    ...(titled ? [] : ['a chart without a title']),
    ...(alt ? [] : ['a chart without alt text']),
    ...nameless.map((label) => `an axis without a unit: ${label.slice(0, 60)}`),
    ...shortened.map((text) => `a chart that shortens a name: "${text}"`),
    ...(marksEach(marks, rows) ? [] : [`a chart of ${rows} rows without a mark for each`]),
    ...odd.map(({ name, color }) => `${name} in ${color}: elsewhere it is ${COLORS.get(name)}`),
  ];
}

/** Whether there is a mark for each row. One that changes on its way has several, and a line has one for all of its rows. */
export function marksEach(marks: ReadonlyMap<string, number>, rows: number): boolean {
  const most = Math.max(0, ...[...marks].map(([role, count]) => (NO_DATA.has(role) ? 0 : count)));
  return most >= rows || marks.has('line mark');
}
const NO_DATA: ReadonlySet<string> = new Set(['axis', 'legend', 'title', 'subtitle', 'text mark']);

/** Every name that a scale of the chart gives a color. */
function scales(node: unknown): { name: string; color: string }[] {
  if (typeof node !== 'object' || node === null) return [];
  const { domain, range } = node as { domain?: unknown; range?: unknown };
  if (Array.isArray(domain) && Array.isArray(range)) {
    return domain.map((name, at) => ({ name: String(name), color: String(range[at]).toLowerCase() }));
  }
  return Object.values(node).flatMap(scales);
}

/** Longer than a screen, as far as can be told without drawing it. */
function tooLong(outputs: Output[]): string[] {
  const px = outputs.reduce((sum, output) => sum + heightOf(output), 0);
  return px > SCREEN_PX ? [`its output is some ${Math.round(px)} px high, more than a screen (${SCREEN_PX} px)`] : [];
}

function heightOf({ text, data = {} }: Output): number {
  const lines = (text: unknown) => LINE_PX * joined(text).trimEnd().split('\n').length;
  if (text !== undefined) return lines(text);
  if (SVG in data) return Number(/<svg[^>]* height="([\d.]+)"/.exec(joined(data[SVG]))?.[1] ?? 0);
  const html = joined(data['text/html']);
  if (html.startsWith('<details')) return LINE_PX; // folded
  if (html.includes('<tr')) return ROW_PX * html.split('<tr').length;
  return lines(data['text/markdown'] ?? data['text/plain']);
}

/** What cells skipped because a program is missing, one line each: the text that they print after `SKIPPED: `. */
export async function skippedSections(root: string, folder = join(root, 'build', 'notebooks')): Promise<string[]> {
  const skipped: string[] = [];
  for (const name of courseNotebooks(root)) {
    const file = join(folder, name);
    if (!existsSync(file)) continue;
    const { content } = await readNotebookFile(file);
    for (const cell of content.cells.filter(isCode)) {
      const said = (cell.outputs as unknown as Output[]).map(({ text }) => joined(text)).join('');
      skipped.push(...[...said.matchAll(/^SKIPPED: (.*)$/gm)].map(([, what]) => `${name}: ${what}`));
    }
  }
  return skipped;
}
