// `npm run pictures`: makes the pictures of the README, from the real thing.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { checkout } from './setup/paths.mjs';
import { setUp } from './setup/set-up.mjs';
import { findBrowser } from './shared/browser.mjs';
import type { Running } from './shared/child.mjs';
import { readFlags } from './shared/flags.mjs';
import { Problem } from './shared/problem.mjs';
import { whole } from './shared/whole.mjs';
import { notebookUrl, startLab } from './start/lab.js';
import { chooseNotebook } from './start/notebook.js';
import { startServer } from './start/server.js';
import { borrowedCheckout } from './test/borrow.js';

const HELP = `npm run pictures -- [flags]

Makes .github/images: runs a notebook in JupyterLab, in a browser of this machine, and takes pictures of it
and of the server's page meanwhile. In a copy of this checkout, which is removed.

  --notebook N   the notebook, by its number (03)
  -h, --help
`;
/** A whole notebook, on a machine that is busy with other things. */
const RUN_MS = 300_000;

await whole(async () => {
  const flags = readFlags(HELP, { notebook: { type: 'string', default: '03' } });
  const notebook = chooseNotebook(checkout, flags.notebook as string);
  const executablePath = findBrowser();
  if (!executablePath) throw new Problem('No Chromium or Chrome found. Install one, or name one with CHROME_PATH.');
  const images = join(checkout, '.github', 'images');
  mkdirSync(images, { recursive: true });

  const copy = borrowedCheckout();
  const children: Running[] = [];
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath, args });
  try {
    await setUp({ root: copy.root });
    const server = startServer(copy, 0);
    const lab = startLab(copy, { port: 0, notebook });
    children.push(server, lab);
    const serverUrl = await server.ready;
    const size = { viewport: { width: 1280, height: 860 }, deviceScaleFactor: 1.5 };
    const monitor = await browser.newPage(size);
    await monitor.goto(serverUrl, { waitUntil: 'domcontentloaded' });
    const page = await browser.newPage(size);
    await page.goto(notebookUrl(await lab.tell(serverUrl), notebook));
    await runAll(page).catch(async (error) => {
      await page.screenshot({ path: join(checkout, 'build', 'picture-failed.png') });
      throw error;
    });
    await monitor.screenshot({ path: join(images, 'monitor.png') });
    const chart = page.locator('.jp-RenderedVegaCommon5, .jp-RenderedVega').first();
    await chart.evaluate((element) => element.scrollIntoView({ block: 'end' }));
    await page.waitForTimeout(500); // Lab slides the table of contents along
    await page.screenshot({ path: join(images, 'lab.png') });
    process.stdout.write(`.github/images/lab.png\n.github/images/monitor.png\n`);
  } finally {
    await browser.close();
    await Promise.all(children.map((child) => child.stop()));
    copy.remove();
  }
});

async function runAll(page: Page): Promise<void> {
  await page.locator('.jp-Notebook .jp-Cell').first().waitFor({ timeout: 60_000 });
  await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor({ timeout: 60_000 });
  await page.getByRole('menuitem', { name: 'Run', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Run All Cells', exact: true }).click();
  const done = () => {
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(
      (prompt) => prompt.textContent ?? '',
    );
    return prompts.some((text) => /\d/.test(text)) && !prompts.some((text) => text.includes('*'));
  };
  await page.waitForFunction(done, undefined, { timeout: RUN_MS });
  const errors = await page
    .locator(
      '.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"], .jp-OutputArea-output[data-mime-type*="error"]',
    )
    .allInnerTexts();
  if (errors.length) throw new Problem('The notebook failed.', { exitCode: 1, details: errors.join('\n') });
}
