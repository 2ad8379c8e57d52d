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

const techniques: Record<Technique, { label: string; color: string }> = JSON.parse(
  readFileSync(join(CHECKOUT, 'server', 'techniques.json'), 'utf8'),
);

/** A color for each technique, the same in every chart of the course and on the server's pages. */
export const COLORS = Object.fromEntries(
  Object.entries(techniques).map(([name, { color }]) => [name, color]),
) as Record<Technique, string>;

/** What is neither measured nor a technique: predictions, the job itself, rules and labels. */
export const INK = { prediction: '#555555', job: '#DDDDDD', text: '#222222', quiet: '#767676' };

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
