// The kernel as a person meets it: in JupyterLab, in a browser.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setUp } from '../setup/set-up.mjs';
import { findBrowser } from '../shared/find-program.mjs';
import { launchBrowser } from '../shared/launch-browser.js';
import { checkout } from '../shared/paths.mjs';
import { notebookUrl, startLab } from '../start/lab.js';
import { borrowedCheckout } from '../test/borrow.js';

const NOTEBOOK = 'notebooks/kernel-in-lab.ipynb';
/** On a machine that is busy with other things. */
const PATIENT = { timeout: 50_000 };
const executablePath = findBrowser();
const pictures = join(checkout, 'build', 'lab');

const cells = {
  fails: `const answer = 42;
function broken(): never {
  throw new RangeError('on the third line');
}
broken();`,
  polls: `let polls = 0;
try {
  for (console.log('polling'); ; polls++) await new Promise((done) => setTimeout(done, 10));
} finally {
  console.log('cleaned up');
}`,
  loops: `console.log('looping');
for (;;) {}`,
  after: 'polls > 0',
};

let copy: ReturnType<typeof borrowedCheckout> | undefined;
let lab: ReturnType<typeof startLab> | undefined;
let browser: Browser | undefined;
let page: Page;

beforeAll(async () => {
  if (!executablePath && process.env.CI) throw new Error('Needs Chromium, Chrome or Edge (CHROME_PATH names one).');
  if (!executablePath) return;
  copy = borrowedCheckout();
  writeFileSync(join(copy.root, NOTEBOOK), notebook(Object.values(cells)));
  mkdirSync(pictures, { recursive: true });
  await setUp({ root: copy.root });
  lab = startLab(copy, { port: 0, notebook: NOTEBOOK });
  // No cell asks for the course's server.
  const url = notebookUrl(await lab.tell({ url: 'http://127.0.0.1:9' }), NOTEBOOK);
  browser = await launchBrowser(executablePath);
  page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  await page.goto(url);
  // The indicator in the toolbar is idle also before the kernel is connected.
  await page.getByText('TypeScript | Idle').waitFor(PATIENT);
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await lab?.stop();
  copy?.remove();
});

const inLab = test.skipIf(!executablePath && !process.env.CI);

inLab('a failing cell shows an error box with the line that the reader wrote', async () => {
  const output = await run('fails', 'RangeError: on the third line');
  const text = await output.innerText();
  expect(text).toContain("----> 3 |   throw new RangeError('on the third line');");
  expect(text).toMatch(/cell \[1\], line 5/);
  expect(text).not.toContain('node_modules');
  await page.screenshot({ path: join(pictures, 'error.png') });
});

inLab.each([
  ['polls', 'polling'],
  ['loops', 'looping'],
] as const)('Stop in the toolbar ends a cell that %s, and the kernel goes on', async (cell, said) => {
  const output = await run(cell, said);
  await page.locator('[data-command="notebook:interrupt-kernel"]').first().click();
  await output.getByText('KeyboardInterrupt').first().waitFor(PATIENT);
  if (cell === 'polls') expect(await output.innerText()).toContain('cleaned up');
  await page.screenshot({ path: join(pictures, `stop-${cell}.png`) });
  await run('after', 'true');
});

/** Runs a cell and waits until its output has a text. */
async function run(cell: keyof typeof cells, expected: string): Promise<Locator> {
  const place = page.locator('.jp-CodeCell').nth(Object.keys(cells).indexOf(cell));
  await place.locator('.cm-content').click();
  await place.locator('.cm-editor.cm-focused').waitFor(PATIENT);
  await page.keyboard.press('Control+Enter');
  const output = place.locator('.jp-Cell-outputArea');
  await output.getByText(expected).first().waitFor(PATIENT);
  return output;
}

function notebook(sources: string[]): string {
  const code = sources.map((source, index) => ({
    ...{ cell_type: 'code', id: `cell-${index}`, source, metadata: {}, outputs: [], execution_count: null },
  }));
  const metadata = { kernelspec: { name: 'tslab', display_name: 'TypeScript', language: 'typescript' } };
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells: code });
}
