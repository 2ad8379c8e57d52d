import { readFile, writeFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';

interface Output {
  data?: Record<string, unknown>;
}

const SVG = 'image/svg+xml';
const PNG = 'image/png';

/**
 * Gives every chart of an executed notebook a PNG beside its SVG. GitHub and nbviewer put an SVG into their page
 * and then clean it, which leaves some of it out.
 */
export async function addPictures(browser: Browser, notebook: string): Promise<void> {
  const content = JSON.parse(await readFile(notebook, 'utf8')) as { cells: { outputs?: Output[] }[] };
  const charts = content.cells.flatMap(({ outputs = [] }) => outputs).filter(({ data }) => data?.[SVG]);
  const context = await browser.newContext({ deviceScaleFactor: 2 });
  try {
    const page = await context.newPage();
    for (const { data } of charts) {
      await page.setContent(`<style>body { margin: 0 } svg { display: block }</style>${[data![SVG]].flat().join('')}`);
      const png = await page.locator('svg').first().screenshot({ type: 'png' });
      data![PNG] = png.toString('base64');
    }
  } finally {
    await context.close();
  }
  await writeFile(notebook, `${JSON.stringify(content, null, 1)}\n`);
}
