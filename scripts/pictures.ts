// `npm run pictures`: makes the pictures of the README, from the real thing.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { commands } from './commands.mjs';
import { animatedSvg, type Frame } from './pictures/animated-svg.js';
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

/** The notebook that begins with something that moves, and the cell that draws it. */
const MOVING = { name: '00-start-here.ipynb', cell: 'race', image: 'race.svg' };
/** For how long the last frame stands before the animation begins again, in milliseconds. */
const HOLD_MS = 4_000;

const SIZE = { viewport: { width: 1480, height: 900 }, deviceScaleFactor: 1.25 };

await runCommand(async (signal) => {
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
  const stop = async () => {
    await browser.close(); // pending calls to a page then reject
    await Promise.all(children.map((child) => child.stop()));
  };
  signal.addEventListener('abort', stop);
  try {
    await setUp({ root: copy.root, signal });
    signal.throwIfAborted();
    const server = launchCourseServer(copy, ['--port', '0']);
    const lab = startLab(copy, { port: 0, notebook: chooseNotebook(checkout, undefined) });
    children.push(server, lab);
    const serverUrl = await server.ready;
    const running = await lab.tell({ url: serverUrl });
    if (chosen === null || chosen === MOVING.name) {
      const notebook = `notebooks/${MOVING.name}`;
      const moving = await movingPlot(browser, copy, notebook, notebookUrl(running, notebook));
      writeFileSync(join(images, MOVING.image), moving);
      process.stdout.write('00\n');
    }
    for (const { name, picture } of notebooks) {
      const [notebook, number] = [`notebooks/${name}`, name.slice(0, 2)];
      const plot = await plotOf(browser, copy, notebook, notebookUrl(running, notebook), {
        cell: picture,
        shown: number === SHOWN ? { images, serverUrl } : null,
      });
      if (plot) writeFileSync(join(images, `${number}.svg`), plot);
      process.stdout.write(`${number}\n`);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await stop();
    copy.remove();
  }
});

/** Runs the first cell of a notebook, and resolves with an animation of what it showed meanwhile. */
async function movingPlot(browser: Browser, copy: Paths, notebook: string, url: string): Promise<string> {
  const page = await browser.newPage(SIZE);
  const lab = new LabPage(page);
  await lab.open(url);
  const cell = lab.cells.first();
  const frames = cell.evaluate(async (element) => {
    const seen: Frame[] = [];
    while (!element.querySelector('.vega-embed')) {
      const { src = '' } = element.querySelector<HTMLImageElement>('.jp-OutputArea-output img') ?? {};
      const svg = decodeURIComponent(src.slice(src.indexOf(',') + 1));
      if (svg && svg !== seen.at(-1)?.svg) seen.push({ at: performance.now(), svg });
      await new Promise(requestAnimationFrame);
    }
    return [...seen, { at: performance.now(), svg: '' }]; // a chart, whose picture is in the saved notebook
  });
  const [shown] = await Promise.all([frames, lab.run(cell)]);
  await lab.save();
  await page.close();
  const outputs = await outputsOf(copy, notebook, MOVING.cell);
  const chart = outputs.find((output) => shownAs(output, 'image/svg+xml'));
  if (!chart) throw new Problem(`${notebook}: its cell "${MOVING.cell}" drew nothing.`, { exitCode: 1 });
  const last = { ...(shown.at(-1) as Frame), svg: shownAs(chart, 'image/svg+xml') };
  return animatedSvg([...shown.slice(0, -1), last], { alt: shownAs(chart, 'text/plain'), holdMs: HOLD_MS });
}

/** The outputs of a cell, as the notebook was saved with them. */
async function outputsOf(copy: Paths, notebook: string, cell: string | null) {
  const { content } = await readNotebookFile(join(copy.root, notebook));
  return content.cells.filter(isCode).find(({ id }) => id === cell)?.outputs ?? [];
}

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
    for (const view of [monitor!, lab.monitor]) {
      await view.locator('#experiment').selectOption(`notebook:${basename(notebook, '.ipynb')}`);
      await view.locator('#span').selectOption('60');
    }
    await monitor!.screenshot({ path: join(shown.images, 'monitor.png') });
    const chart = lab.charts.first();
    await chart.evaluate((element) => element.scrollIntoView({ block: 'end' }));
    await page.waitForTimeout(500); // Lab slides the table of contents along
    await page.screenshot({ path: join(shown.images, 'lab.png') });
  }
  await lab.save();
  await Promise.all([page.close(), monitor?.close()]);
  const outputs = await outputsOf(copy, notebook, cell);
  return outputs.map((output) => shownAs(output, 'image/svg+xml')).find(Boolean);
}
