import type { DisplayWriter, MimeBundle } from '../../scripts/kernel/display.js';

export type { MimeBundle };

/** An output in its cell. What is shown later under the same display takes the place of what was there. */
export interface Display {
  /** Shows a bundle, the richest form that the front end knows. */
  show(bundle: MimeBundle): void;
}

/** The part of tslab's own display that is needed where there is no writer of bundles. */
interface TslabDisplay {
  raw(mimeType: string, text: string): void;
}

/** What a front end draws best of what a stock tslab, with its one form an output, can send. */
const FALLBACKS = ['text/html', 'image/svg+xml', 'text/markdown', 'text/plain'];

let displays = 0;

/**
 * Opens an output that can be redrawn in place.
 *
 * Under this course's kernel an output has several forms at the same time: a chart is live in JupyterLab, an SVG on
 * paper, and a line of text in a terminal. A stock tslab gets the first form that it can show.
 */
export function newDisplay(): Display {
  const write = writer();
  if (!write) return fallback();
  const displayId = `polling-lab-${process.pid}-${++displays}`;
  let shown = false;
  return {
    show({ metadata, ...bundle }: MimeBundle) {
      write(bundle, {
        displayId,
        update: shown,
        ...(metadata ? { metadata: metadata as Record<string, unknown> } : {}),
      });
      shown = true;
    },
  };
}

/** Shows a bundle as an output of its own. */
export function show(bundle: MimeBundle): void {
  newDisplay().show(bundle);
}

/** Whether the kernel writes outputs in several forms at the same time: the course's does, a stock tslab does not. */
export const isBundling = () => writer() !== undefined;

function writer(): DisplayWriter | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for('polling-lab.display')] as DisplayWriter | undefined;
}

function fallback(): Display {
  const output: TslabDisplay = require('tslab').newDisplay();
  return {
    show(bundle) {
      const type = FALLBACKS.find((type) => type in bundle) ?? 'text/plain';
      // JupyterLab strips an SVG of its own down to an image; inside HTML it keeps its tooltips.
      if (type === 'image/svg+xml') output.raw('text/html', String(bundle[type]));
      else output.raw(type, String(bundle[type]));
    },
  };
}
