import techniques from './techniques.json' with { type: 'json' };

/**
 * Every technique of a client: the name that the ledger counts its requests under, what charts and pages call it, and its
 * colour in them. It is a file of JSON so that pages and notebooks read the same list. To add a technique, add it there,
 * and have its route set it.
 *
 * The colours are told apart by colour-blind readers, too: Okabe and Ito, "Color Universal Design",
 * https://jfly.uni-koeln.de/color/.
 */
export const TECHNIQUES = techniques;

export type Technique = keyof typeof techniques;

export const TECHNIQUE_NAMES = Object.keys(techniques) as Technique[];
