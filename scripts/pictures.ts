// `npm run pictures`: makes the pictures of the README, from the real thing.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { commands } from './commands.mjs';
import { setUp } from './setup/set-up.mjs';
import type { Running } from './shared/child.mjs';
import { runCommand } from './shared/command.mjs';
import { readCourse } from './shared/course.js';
import { findBrowser } from './shared/find-program.mjs';
import { readFlags } from './shared/flags.mjs';
import { launchBrowser } from './shared/launch-browser.js';
import { isCode, readNotebookFile, shownAs } from './shared/notebook-file.js';
import { checkout, type Paths } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';
import { chooseNotebook } from './start/choose-notebook.js';
import { launchCourseServer } from './start/course-server.js';
import { notebookUrl, startLab } from './start/lab.js';
import { borrowedCheckout } from './test/borrow.js';
import { LabPage } from './test/lab-page.js';

/** The one that is shown running. */
const SHOWN = '03';

const SIZE = { viewport: { width: 1480, height: 900 }, deviceScaleFactor: 1.25 };

await runCommand(async () => {
  const { notebook: only } = readFlags(commands.pictures);
  const chosen = only === undefined ? null : basename(chooseNotebook(checkout, only));
  const notebooks = (await readCourse(checkout)).filter(({ name, picture }) => picture && name === (chosen ?? name));
  const executablePath = findBrowser();
  if (!executablePath) throw new Problem('No Chromium or Chrome found. Install one, or name one with CHROME_PATH.');
  const images = join(checkout, '.github', 'images');
  mkdirSync(images, { recursive: true });

  const copy = borrowedCheckout();
  const children: Running[] = [];
  const browser = await launchBrowser(executablePath);
  try {
    await setUp({ root: copy.root });
    const server = launchCourseServer(copy, ['--port', '0']);
    const lab = startLab(copy, { port: 0, notebook: chooseNotebook(checkout, undefined) });
    children.push(server, lab);
    const serverUrl = await server.ready;
    const running = await lab.tell(serverUrl);
    for (const { name, picture } of notebooks) {
      const [notebook, number] = [`notebooks/${name}`, name.slice(0, 2)];
      const plot = await plotOf(browser, copy, notebook, notebookUrl(running, notebook), {
        cell: picture,
        shown: number === SHOWN ? { images, serverUrl } : null,
      });
      if (plot) writeFileSync(join(images, `${number}.svg`), plot);
      process.stdout.write(`${number}\n`);
    }
  } finally {
    await browser.close();
    await Promise.all(children.map((child) => child.stop()));
    copy.remove();
  }
});

interface Wanted {
  cell: string | null;
  /** Where to put pictures of the browser; null for none. */
  shown: { images: string; serverUrl: string } | null;
}

/** Runs a notebook; resolves with the SVG that a cell drew. */
async function plotOf(browser: Browser, copy: Paths, notebook: string, url: string, { cell, shown }: Wanted) {
  const page = await browser.newPage(SIZE);
  const monitor = shown && (await browser.newPage(SIZE));
  await monitor?.goto(shown!.serverUrl, { waitUntil: 'domcontentloaded' });
  const lab = new LabPage(page);
  await lab.open(url);
  if (shown) await lab.showTraffic();
  await lab.runAll();
  if ((await lab.errors.count()) > 0) {
    const details = (await lab.errors.allInnerTexts()).join('\n');
    throw new Problem(`${notebook} failed.`, { exitCode: 1, details });
  }
  if (shown) {
    for (const view of [monitor!, lab.monitor]) await view.locator('#span').selectOption('60');
    await monitor!.screenshot({ path: join(shown.images, 'monitor.png') });
    const chart = lab.charts.first();
    await chart.evaluate((element) => element.scrollIntoView({ block: 'end' }));
    await page.waitForTimeout(500); // Lab slides the table of contents along
    await page.screenshot({ path: join(shown.images, 'lab.png') });
  }
  await lab.save();
  await Promise.all([page.close(), monitor?.close()]);
  const { content } = await readNotebookFile(join(copy.root, notebook));
  const outputs = content.cells.filter(isCode).find(({ id }) => id === cell)?.outputs ?? [];
  return outputs.map((output) => shownAs(output, 'image/svg+xml')).find(Boolean);
}
