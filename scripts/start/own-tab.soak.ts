import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setUp } from '../setup/set-up.mjs';
import type { Running } from '../shared/child.mjs';
import { findBrowser } from '../shared/find-program.mjs';
import { launchBrowser } from '../shared/launch-browser.js';
import { isCode, parseNotebookFile, shownAs } from '../shared/notebook-file.js';
import { checkout } from '../shared/paths.mjs';
import { borrowedCheckout } from '../test/borrow.js';
import { LabPage } from '../test/lab-page.js';
import { need } from '../test/need.js';
import { launchCourseServer } from './course-server.js';
import { notebookUrl, startLab } from './lab.js';

// In JupyterLab, by a real browser: the notebook on six connections shows its page in the reader's own tab, and plots what
// that reports. Only the cells up to there: the others need no tab.
const NOTEBOOK = 'notebooks/07-six-connections.ipynb';
const LAST = 'yours-plot';
const RUN_MS = 240_000;

const executablePath = findBrowser();
const children: Running[] = [];
let copy: ReturnType<typeof borrowedCheckout>;
let browser: Browser | undefined;
let page: Page;

const path = () => join(copy.root, NOTEBOOK);
const read = () => parseNotebookFile(path(), readFileSync(path(), 'utf8'));

beforeAll(async () => {
  if (!executablePath) return;
  copy = borrowedCheckout();
  const notebook = read();
  const last = notebook.cells.findIndex(({ id }) => id === LAST);
  writeFileSync(path(), JSON.stringify({ ...notebook, cells: notebook.cells.slice(0, last + 1) }));
  await setUp({ root: copy.root });
  const server = launchCourseServer(copy, ['--port', '0']);
  const lab = startLab(copy, { port: 0, notebook: NOTEBOOK });
  children.push(server, lab);
  browser = await launchBrowser(executablePath);
  page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  await page.goto(notebookUrl(await lab.tell({ url: await server.ready }), NOTEBOOK));
}, RUN_MS);
afterAll(async () => {
  await browser?.close();
  await Promise.all(children.map((child) => child.stop()));
  copy?.remove();
});

async function runAll(): Promise<void> {
  await page.locator('.jp-Notebook .jp-Cell').first().waitFor({ timeout: 60_000 });
  // To run before the kernel is there makes Lab ask for one.
  await page.getByText('TypeScript | Idle').waitFor({ timeout: 120_000 });
  await page.getByRole('menuitem', { name: 'Run', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Run All Cells', exact: true }).click();
}

const picture = async (name: string) => {
  const folder = join(checkout, 'build', 'test');
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `own-tab-${name}.png`) });
};

test(
  'Run All in JupyterLab plots what the own tab has reported, and saves no frame',
  async (context) => {
    need(context, browser, 'Chromium, Chrome or Edge (CHROME_PATH names one)');
    await runAll();
    const frame = page.locator('iframe[title="Six connections"]');
    await frame.waitFor({ timeout: RUN_MS });
    await frame.scrollIntoViewIfNeeded();
    const said = frame.contentFrame().locator('#state');
    await said.filter({ hasText: '6 are open, 3 wait' }).waitFor({ timeout: 60_000 });
    await picture('live');
    const done = () => {
      const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(
        ({ textContent }) => textContent ?? '',
      );
      return prompts.some((text) => /\d/.test(text)) && !prompts.some((text) => text.includes('*'));
    };
    await page.waitForFunction(done, undefined, { timeout: RUN_MS });
    await page.getByText('Your own tab has reported').waitFor({ timeout: 30_000 });
    expect(await frame.count()).toBe(0);
    await page.locator('.jp-RenderedVegaCommon5, .jp-RenderedVega').last().scrollIntoViewIfNeeded();
    await page.waitForTimeout(500); // for the eye only: Lab slides things along
    await picture('plotted');

    await new LabPage(page).save();
    const outputs = () =>
      read()
        .cells.filter(isCode)
        .flatMap(({ id, outputs }) => outputs.map((output) => ({ id, output })));
    await expect.poll(() => outputs().some(({ id }) => id === LAST), { timeout: 120_000 }).toBe(true);
    expect(JSON.stringify(outputs())).not.toContain('<iframe');
    const last = outputs().find(({ id }) => id === LAST)!;
    expect(shownAs(last.output, 'text/plain')).toMatch(
      /^In your own tab, 6 of 8 streams opened.*your tab, Chrome \d+: request 1 /s,
    );
  },
  2 * RUN_MS,
);
