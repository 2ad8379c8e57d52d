/**
 * Characters that a reader cannot see, or that change how the text around them is shown: control characters (C0, C1),
 * bidirectional overrides, zero-width characters and other formatting, line separators, lone surrogates, blank letters.
 */
export const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * Text from outside, fit for a terminal, a log or a page: a character that cannot be seen is shown as its code
 * (`\u{1b}`), so that it moves no cursor, begins no line and turns no text round.
 *
 * @param {unknown} text
 * @param {{ most?: number, lines?: boolean }} [options] `most`: how many UTF-16 code units are shown. Default: 300.
 *   `lines`: newlines and tabs stay, for text of several lines. Default: false.
 * @returns {string}
 */
export function visible(text, { most = 300, lines = false } = {}) {
  const whole = String(text);
  const shown = whole.length > most ? `${whole.slice(0, most)}…` : whole;
  return shown.replace(INVISIBLE, (char) =>
    lines && (char === '\n' || char === '\t')
      ? char
      : `\\u{${/** @type {number} */ (char.codePointAt(0)).toString(16)}}`,
  );
}

/** The colors of a terminal (ECMA-48, section 8.3.117: SGR), and no other sequence: those could hide text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
const COLORS = /\u001b\[[0-9;]*m/g;

/**
 * What a program printed, fit to be shown again: without its colors, and otherwise as {@link visible}.
 *
 * @param {string} text
 * @returns {string}
 */
export const plain = (text) =>
  visible(text.replace(COLORS, '').replaceAll('\r\n', '\n'), { most: Number.POSITIVE_INFINITY, lines: true });
