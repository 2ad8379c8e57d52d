import { setTimeout as sleep } from 'node:timers/promises';
import { type Chart, chart, still } from './charts/chart.js';
import { type MimeBundle, newDisplay } from './display.js';
import { visible } from './visible.js';

/** The least time from one picture of a live chart to the next, in milliseconds: smooth to the eye, and a small part of a core. */
const FRAME_MS = 100;

/**
 * Draws a chart: live in JupyterLab, as an SVG on paper, as a line of numbers in a terminal.
 *
 * @example await draw(waterfall(run.rows, { title: `${run.rows.length} requests for one answer` }));
 */
export async function draw(chart: Chart): Promise<void> {
  newDisplay().show(await bundleOf(chart));
}

/**
 * Redraws a chart in place while work goes on, up to ten times a second, then leaves the last one standing. Returns
 * what the work came to.
 *
 * @param picture makes the chart as things are now; the last one is made with what the work came to.
 * @param work what is waited for.
 * @example
 * const picture = (job = submitted) => waterfall(run.rows, { title: 'so far', job: job });
 * const done = await live(picture, pollUntilDone(client, jobUrl, 500));
 */
// `& {}`: the work alone says what T is, also to a compiler that is not strict, as a stock tslab's.
export async function live<T>(picture: (result?: T & {}) => Chart | Promise<Chart>, work: Promise<T>): Promise<T> {
  const display = newDisplay();
  const over = new AbortController();
  const stop = () => over.abort();
  work.then(stop, stop);
  for (let shown = ''; ; ) {
    await sleep(FRAME_MS, undefined, { signal: over.signal }).catch(() => {});
    if (over.signal.aborted) break;
    const frame = await picture();
    if (JSON.stringify(frame.spec) === shown) continue; // nothing has happened
    shown = JSON.stringify(frame.spec);
    // Only the picture while it moves: to start a chart anew in the browser for every frame would flicker.
    display.show(pictureOf(frame, await toSvg(frame)));
  }
  // When the work failed, the picture of how far it came is worth keeping.
  const result = await work.catch(() => undefined);
  display.show(await bundleOf(await picture(result ?? undefined)));
  return work;
}

/** Loads Vega and draws a chart of nothing, so that the first chart takes no longer than the others. */
export async function warmUp(): Promise<void> {
  const x = { field: 'start', type: 'quantitative' };
  const encoding = { x, x2: { field: 'end' }, y: { field: 'request', type: 'ordinal' } };
  await toSvg(chart({ title: '', data: [], numbers: '', body: { layer: [{ mark: 'bar', encoding }] } }));
}

async function bundleOf(chart: Chart): Promise<MimeBundle> {
  return {
    'application/vnd.vegalite.v5+json': chart.spec,
    ...pictureOf(chart, await toSvg(chart)),
  };
}

const pictureOf = (chart: Chart, svg: string): MimeBundle => ({
  'image/svg+xml': svg,
  'text/plain': visible(chart.text),
  metadata: { 'image/svg+xml': { alt: visible(chart.text) } },
});

/**
 * The two functions of Vega that are used, typed by hand: the types of Vega-Lite are so large that the kernel
 * would compile them for two seconds before the first cell.
 */
interface VegaLite {
  compile(spec: unknown): { spec: unknown };
}
interface Vega {
  parse(spec: unknown): unknown;
  View: new (runtime: unknown, options: { renderer: 'none' }) => { toSVG(): Promise<string>; finalize(): unknown };
}

/**
 * The colors of a picture that stands alone, where no page gives it any: those that the reader's system asks for. Inside a page
 * (`svg:root` is none there) it has the page's, and nothing behind it.
 */
const ALONE =
  'svg:root{color:#222;background:#fff}@media screen and (prefers-color-scheme:dark){svg:root{color:#e4e4e4;background:#111}}';

/** @throws TypeError for a specification that Vega-Lite does not take; of the reasons, its own message says little. */
function compiled(chart: Chart, compile: VegaLite['compile']): unknown {
  try {
    return compile(still(chart)).spec;
  } catch (error) {
    const got = `got one that it can't compile (${(error as Error).message})`;
    const remedy = 'Check the names of its marks and types: https://vega.github.io/vega-lite/docs/spec.html';
    throw new TypeError(`draw: expected a specification of Vega-Lite, ${got}. ${remedy}`);
  }
}

/** The chart as an SVG, drawn by the very versions that JupyterLab bundles. */
export async function toSvg(chart: Chart): Promise<string> {
  const { compile }: VegaLite = require('vega-lite');
  const { parse, View }: Vega = require('vega');
  const view = new View(parse(compiled(chart, compile)), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return visible(svg.replace(/(?<=^<svg[^>]*>)/, `<style>${ALONE}</style>`));
}
