import techniques from './techniques.json' with { type: 'json' };

/**
 * Every technique of a client: the name that the ledger counts its requests under, what charts and pages call it, its
 * color in them, and its requests as `GET /openapi.json` describes them. The names come from this list: types,
 * pages and metrics take them from it, and a test holds the notebooks' type to it. It is JSON so that all of them can read it.
 *
 * The colors are told apart by color-blind readers, too: Okabe and Ito, "Color Universal Design",
 * https://jfly.uni-koeln.de/color/. One that is too light for a white page has a darker `outline`.
 */
export const TECHNIQUES = techniques;

export type Technique = keyof typeof techniques;

export const TECHNIQUE_NAMES = Object.keys(techniques) as Technique[];
