import { COLORS, OUTLINES, type Technique } from '../technique.js';

/**
 * Encodings that color marks by their technique, with one legend for all of them; `legend: null` for none. A legend of "other"
 * alone would say nothing, and is left out.
 */
export function byTechnique(used: Technique[], options: { legend?: null } = {}) {
  const channel = (colors: Record<Technique, string>) => ({
    field: 'technique',
    scale: { domain: used, range: used.map((name) => colors[name]) },
    ...(used.every((name) => name === 'other') ? { legend: null } : options),
  });
  // The edge is what keeps a light color visible on a white page, and a request of a millisecond visible at all.
  return { color: channel(COLORS), stroke: channel(OUTLINES) };
}

/** The same for a mark whose technique is fixed. */
export const ofTechnique = (name: Technique) => ({ color: COLORS[name], stroke: OUTLINES[name] });
