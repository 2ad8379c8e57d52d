/** The same characters as in `scripts/shared/visible.mjs`, which cells cannot import. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * Text from a server, fit for an output: a character that cannot be seen is shown as its code (`\u{1b}`), so that it turns
 * no text round and is no character that SVG does not have. Newlines and tabs stay.
 */
export const visible = (text: string): string =>
  text.replace(INVISIBLE, (char) =>
    char === '\n' || char === '\t' ? char : `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
