import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './own-server.js';

/**
 * The names of `server/techniques.json`, for the type: a stock tslab compiles no file from outside this folder, not even for
 * its type. `charts/charts.test.ts` holds the two lists equal.
 */
export const TECHNIQUES = ['submit', 'short-poll', 'long-poll', 'event-stream', 'consume', 'other'] as const;

/** How a client learns what it wants to know. */
export type Technique = (typeof TECHNIQUES)[number];

const techniques: Record<Technique, { label: string; color: string; outline?: string }> = JSON.parse(
  readFileSync(join(CHECKOUT, 'server', 'techniques.json'), 'utf8'),
);

/** A color for each technique, the same in every chart of the course and on the server's pages. */
export const COLORS = Object.fromEntries(
  Object.entries(techniques).map(([name, { color }]) => [name, color]),
) as Record<Technique, string>;

/** The edge of a mark in that color: one that is too light for a white page has a darker edge, of 3:1 at least. */
export const OUTLINES = Object.fromEntries(
  Object.entries(techniques).map(([name, { color, outline }]) => [name, outline ?? color]),
) as Record<Technique, string>;

/** The edge of a mark in any color: of a technique's color it is the technique's. */
export function outlineOf(color: string): string {
  const technique = TECHNIQUES.find((name) => COLORS[name] === color);
  return technique ? OUTLINES[technique] : color;
}

/**
 * The colors of what is no technique. `text` is the text color of the page that shows the chart, so that a chart fits a
 * light and a dark page, also one whose theme changes later; what is paler has an opacity. `quiet` suits both, too.
 */
export const INK = { text: 'currentColor', quiet: '#767676' };

/**
 * Opacities: of {@link INK}`.text` for second-rank text, for rules and axes, for a span of time, for an area that points lie
 * on, and for the grid; and of a technique's color while a request waits or a stream is silent, so faint that a mark of the
 * full color is seen on it.
 */
export const FAINT = { text: 0.75, rule: 0.65, span: 0.12, shade: 0.05, grid: 0.12, wait: 0.1 };

/**
 * Names the technique of a request, by the same rule as the server but on the client's side of the wire: the
 * two must come to the same count without having spoken.
 */
export function techniqueOf(method: string, url: URL, headers: Headers): Technique {
  const waits = url.searchParams.has('wait') || /(^|,)\s*wait\s*=/i.test(headers.get('prefer') ?? '');
  const path = url.pathname;
  if (path === '/jobs' && method === 'POST') return 'submit';
  if (/^(\/jobs\/[^/]+)?\/events$/.test(path)) {
    return /json/i.test(headers.get('accept') ?? '') ? 'consume' : 'event-stream';
  }
  if (method !== 'GET' && method !== 'HEAD') return 'other';
  if (/^\/jobs\/[^/]+\/result$/.test(path)) return waits ? 'long-poll' : 'other';
  if (/^\/jobs\/[^/]+$/.test(path)) return waits ? 'long-poll' : 'short-poll';
  return 'other';
}
