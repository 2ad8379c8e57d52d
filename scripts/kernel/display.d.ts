/**
 * What the kernel lets the code of a notebook's helpers reach: a writer for several MIME types at
 * once. It is found by a registered symbol, so a helper needs no import of the kernel and can tell
 * by its absence that it runs elsewhere (a stock tslab, a unit test):
 *
 *     const display = globalThis[Symbol.for('tslab.display')];
 *
 * The key of the symbol is a setting of the kernel (`displaySymbol`).
 *
 * The output belongs to the cell that caused the call, also after an `await` or in a timer.
 */
export type DisplayWriter = (bundle: MimeBundle, options?: DisplayOptions) => void;

/**
 * One output in several forms; the front end shows the richest it knows.
 * Strings go as they are, bytes as base64, and under `application/json` or a `+json` type any JSON value.
 */
export type MimeBundle = Record<string, unknown>;

export interface DisplayOptions {
  /** Names this output, so that a later call can replace it. None by default. */
  displayId?: string;
  /**
   * Replace every output shown under `displayId` instead of adding one. Default: false.
   * Throws a TypeError without a `displayId`.
   */
  update?: boolean;
  /** Metadata for each MIME type, such as `{ 'image/png': { width: 640 } }`. Default: `{}`. */
  metadata?: Record<string, unknown>;
}
