import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { run } from '../shared/run.js';

/** The numbers in the contents may move what they count, once. */
const MOST_PRINTS = 4;

/** Prints a page as a PDF: its contents with page numbers, which only a print can tell, its headings as bookmarks. */
export async function printPdf(browser: Browser, html: string, pdf: string, signal: AbortSignal): Promise<void> {
  // Without the page's script: on paper a chart is its picture.
  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    const page = await context.newPage();
    await page.goto(pathToFileURL(html).href);
    await page.evaluate(readyToPrint);
    for (let printed = 1; ; printed += 1) {
      await page.pdf({ path: pdf, preferCSSPageSize: true, printBackground: true, outline: true, tagged: true });
      const changed = await number(page, await destinations(pdf, signal));
      if (!changed) return;
      if (printed === MOST_PRINTS) throw new Error(`The page numbers of ${html} did not settle.`);
    }
  } finally {
    await context.close();
  }
}

/** Makes a page fit for paper, and waits for its fonts and pictures. */
async function readyToPrint(): Promise<void> {
  // A link to another file would be one to where that lies now.
  for (const link of document.querySelectorAll('a[href]')) {
    if (!/^(https?:|#)/.test(link.getAttribute('href')!)) link.removeAttribute('href');
  }
  // A picture cannot use the page's typeface, a part of the page can. The ids in it are then the page's, too.
  const pictures = [...document.querySelectorAll<HTMLImageElement>('.chart img[src^="data:image/svg+xml;base64,"]')];
  for (const [number, picture] of pictures.entries()) {
    const bytes = Uint8Array.from(atob(picture.src.split(',')[1]!), (byte) => byte.charCodeAt(0));
    const source = new TextDecoder().decode(bytes).replace(/(?<=\bid="|url\(#|href="#)/g, `chart-${number}-`);
    const chart = new DOMParser().parseFromString(source, 'image/svg+xml').documentElement;
    chart.setAttribute('role', 'img');
    chart.setAttribute('aria-label', picture.alt);
    chart.setAttribute('style', `width: ${picture.getAttribute('width')}px`); // as wide as the picture, and no wider
    chart.setAttribute('preserveAspectRatio', 'xMinYMin');
    picture.replaceWith(chart);
  }
  await Promise.all([document.fonts.ready, ...[...document.images].map((image) => image.decode())]);
}

/** Writes the page numbers into the contents; tells how many of them were others before. */
function number(page: Page, pages: Record<string, number>): Promise<number> {
  return page.evaluate((pages) => {
    let changed = 0;
    for (const link of document.querySelectorAll('a[href^="#"]:has(> .page)')) {
      const target = decodeURIComponent(link.getAttribute('href')!.slice(1));
      const shown = link.querySelector('.page')!;
      const text = String(pages[target] ?? '?');
      if (shown.textContent !== text) changed += 1;
      shown.textContent = text;
    }
    // The index names a page once.
    for (const place of document.querySelectorAll<HTMLElement>('.index a + a')) {
      const [before, own] = [place.previousElementSibling!, place].map(
        (link) => link.querySelector('.page')!.textContent,
      );
      place.hidden = before === own;
    }
    return changed;
  }, pages);
}

/** On which page of a PDF each target of a link within it stands, from 1. */
export async function destinations(pdf: string, signal: AbortSignal): Promise<Record<string, number>> {
  const script = join(import.meta.dirname, 'convert', 'destinations.py');
  const output = await run([pathsOf(checkout).python, script, pdf], { signal });
  if (output.exitCode !== 0) throw new Error(`${script} failed: ${output.stderr}`);
  return output.json();
}
