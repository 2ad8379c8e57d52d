import type { Browser } from 'playwright-core';
import { dataOf, isCode, readNotebookFile, shownAs, writeNotebookFile } from '../shared/notebook-file.js';

const SVG = 'image/svg+xml';
const PNG = 'image/png';

/**
 * Gives every chart of an executed notebook a PNG beside its SVG. GitHub and nbviewer put an SVG into their page
 * and then clean it, which leaves some of it out.
 */
export async function addPictures(browser: Browser, notebook: string): Promise<void> {
  const { content } = await readNotebookFile(notebook);
  const outputs = content.cells.filter(isCode).flatMap((cell) => cell.outputs);
  const charts = outputs.filter((output) => SVG in dataOf(output));
  const context = await browser.newContext({ deviceScaleFactor: 2 });
  try {
    const page = await context.newPage();
    for (const chart of charts) {
      await page.setContent(`<style>body { margin: 0 } svg { display: block }</style>${shownAs(chart, SVG)}`);
      const png = await page.locator('svg').first().screenshot({ type: 'png' });
      dataOf(chart)[PNG] = png.toString('base64');
    }
  } finally {
    await context.close();
  }
  writeNotebookFile(notebook, content);
}
