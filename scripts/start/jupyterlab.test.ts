// JupyterLab as a person meets it: `npm start`, a browser, and what one does there.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { marksEach } from '../check/executed.js';
import { findBrowser } from '../shared/find-program.mjs';
import { launchBrowser } from '../shared/launch-browser.js';
import {
  dataOf,
  type ICell,
  type ICodeCell,
  type INotebookContent,
  type IOutput,
  isCode,
  tagsOf,
  textOf,
} from '../shared/notebook-file.js';
import { checkout, courseNotebooks } from '../shared/paths.mjs';
import { borrowedCheckout } from '../test/borrow.js';
import { contrasts, LabPage, seen } from '../test/lab-page.js';
import { need } from '../test/need.js';
import { type AtTerminal, startAtTerminal } from '../test/terminal.js';

/** A loaded machine is slow, not wrong. */
const PATIENCE = { timeout: 60_000 };
const LONG = { timeout: 600_000 };
/** SOAK=1: all notebooks. */
const NOTEBOOKS = process.env.SOAK ? courseNotebooks(checkout) : ['02-a-job-and-its-id.ipynb'];
/** A cell that waits for the answer to an exercise. */
const EMPTY_ANSWER = /^const (\w+): (.+) \| null = null;/m;
/** No requests and no questions of the browser's own. */
const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
/** What JupyterLab says of a kernel that it restarts or shuts down itself. */
const KERNEL_ENDS = /^Connection lost, reconnecting in/;
/** What it says of its plugins on a machine that is busy. */
const SLOW = /^Plugin \S+ (\(with \d+ dependants\) took [\d.]+ms|is taking too long) to activate/;

const executablePath = findBrowser();
let copy: ReturnType<typeof borrowedCheckout>;
let npmStart: AtTerminal;
let firstUrl: string;
let browser: Browser | undefined;
let context: BrowserContext;
let page: Page;
let lab: LabPage;
/** What the browser's console complained of. */
let complaints: string[];

beforeAll(async () => {
  if (!executablePath) return;
  browser = await launchBrowser(executablePath, QUIET);
  copy = borrowedCheckout();
  const command = ['npm', 'start', '--', '--no-open', '--port', '0', '--lab-port', '0'];
  npmStart = startAtTerminal(copy.python, command, { cwd: copy.root });
  let said = '';
  firstUrl = await new Promise((resolve, reject) => {
    npmStart.process.stdout!.on('data', (text) => {
      said += text;
      const [, url] = /JupyterLab +(https?:\S+)[\s\S]*Ctrl-C stops both/.exec(said) ?? [];
      if (url) resolve(url);
    });
    void npmStart.ended.then(() => reject(new Error(npmStart.said())));
  });
}, LONG.timeout);
afterAll(async () => {
  await browser?.close();
  await npmStart?.interrupt();
  copy?.remove();
}, PATIENCE.timeout);

beforeEach(async (test) => {
  need(test, browser, 'Chromium, Chrome or Edge (CHROME_PATH names one)');
  complaints = [];
  context = await browser!.newContext({ viewport: { width: 1440, height: 900 } });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE.timeout);
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  page.on('console', (message) => {
    const isExpected = [KERNEL_ENDS, SLOW].some((expected) => expected.test(message.text()));
    const isComplaint = ['error', 'warning'].includes(message.type()) && !isExpected;
    if (isComplaint) complaints.push(message.text());
  });
  lab = new LabPage(page);
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    await page?.screenshot({ path: join(checkout, 'build', 'test', 'jupyterlab.png') }).catch(() => {});
  }
  await context?.close();
});

const urlOf = (notebook: string) => firstUrl.replace(/[^/]+\.ipynb/, notebook);
const api = (path: string) => {
  const { origin, search } = new URL(firstUrl);
  return `${origin}/api/${path}${search}`;
};

/** The notebook as it was saved. */
async function saved(notebook: string): Promise<ICell[]> {
  await lab.save();
  const response = await fetch(api(`contents/notebooks/${notebook}`));
  return ((await response.json()) as { content: INotebookContent }).content.cells;
}

const kernels = async () => ((await (await fetch(api('kernels'))).json()) as unknown[]).length;
const isError = ({ output_type, name }: IOutput) => output_type === 'error' || name === 'stderr';

test('opens on the first notebook: no dialog, the kernel chosen, the table of contents at hand', LONG, async () => {
  await lab.open(firstUrl);
  const [first = ''] = courseNotebooks(checkout);
  await expect.poll(() => page.title(), PATIENCE).toContain(first.slice(0, 8));
  expect(await page.locator('.jp-Dialog').count()).toBe(0);
  await page.locator('.jp-Toolbar-kernelName', { hasText: 'TypeScript' }).waitFor(PATIENCE);
  await page.locator('.jp-CodeCell .cm-content[data-language=typescript]').first().waitFor(PATIENCE);
  const headings = page.locator('#table-of-contents .jp-tocItem-heading:visible');
  await expect.poll(() => headings.count(), PATIENCE).toBeGreaterThan(3);
  expect(await page.locator('.lm-DockPanel-tabBar:visible').count()).toBe(0); // the simple look
  // The command palette has the traffic monitor.
  await page.keyboard.press('ControlOrMeta+Shift+C');
  await page.locator('.lm-CommandPalette-input').fill('Polling Lab Traffic');
  await page.locator('.lm-CommandPalette-item', { hasText: 'Traffic' }).first().click(PATIENCE);
  await lab.monitor.locator('#state[data-state=live]').waitFor(PATIENCE);
  expect(complaints).toEqual([]);
});

test.each(['light', 'dark'] as const)(
  'follows a system that is %s, and the traffic monitor with it',
  LONG,
  async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await lab.open(firstUrl);
    await expect
      .poll(() => page.locator('body').getAttribute('data-jp-theme-light'), PATIENCE)
      .toBe(String(colorScheme === 'light'));
    const words = page.locator('.cm-content:visible span');
    await words.first().waitFor(PATIENCE);
    expect(Math.min(...(await contrasts(words)))).toBeGreaterThan(4.5);
    await lab.showTraffic();
    await lab.monitor.locator('#state[data-state=live]').waitFor(PATIENCE);
    const background = await lab.monitor.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor);
    expect(background).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 22, 26)');
    expect(complaints).toEqual([]);
  },
);

test('leaves a notebook room beside its panels, also at a zoom of 200 %', LONG, async () => {
  await lab.open(firstUrl);
  const width = (id: string) => page.locator(id).evaluate((panel) => (panel as HTMLElement).offsetWidth);
  const atLeast = (id: string, pixels: number) => expect.poll(() => width(id), PATIENCE).toBeGreaterThanOrEqual(pixels);
  const drawn = await lab.insertBelow(
    lab.cells.last(),
    `import { compared, draw, table } from './instruments/index.js';
const measured = [1, 2].map((x) => ({ x, y: x }));
const drag = { formula: 'x', says: "'here'", sliders: {} };
await draw(compared({ title: 'T', x: 'x', y: 'y', technique: 'short-poll', predict: (x) => x, measured, drag }));
table([Object.fromEntries([1, 2, 3, 4].map((i) => ['requests_of_client_' + i, i]))]);`,
  );
  await lab.run(drawn);
  // Somebody wants to read a long heading.
  const border = await page.locator('#jp-main-split-panel > .lm-SplitPanel-handle:visible').first().boundingBox();
  await page.mouse.move(border!.x, border!.y + 400);
  await page.mouse.down();
  await page.mouse.move(640, border!.y + 400, { steps: 5 });
  await page.mouse.up();
  await atLeast('#jp-left-stack', 500);
  await page.setViewportSize({ width: 720, height: 450 });
  await atLeast('#jp-main-dock-panel', 320);
  await atLeast('#jp-left-stack', 200); // it was made narrower, and not closed
  // A slider moves below its name, so that its number is seen. A wide table scrolls, by the keyboard too, and Escape leaves it.
  await drawn.locator('.vega-bind input').waitFor(PATIENCE);
  const scrolls = (output: Element) => output.scrollWidth > output.clientWidth;
  expect(await drawn.locator('.jp-RenderedVegaCommon5').evaluate(scrolls)).toBe(false);
  const tableOutput = drawn.getByRole('region', { name: 'Table, scrolls sideways' });
  expect(await tableOutput.evaluate(scrolls)).toBe(true);
  await drawn.getByLabel('Save the chart').focus();
  await page.keyboard.press('Tab');
  expect(await tableOutput.evaluate((table) => table === document.activeElement)).toBe(true);
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => tableOutput.evaluate(({ scrollLeft }) => scrollLeft), PATIENCE).toBeGreaterThan(0);
  await page.keyboard.press('Escape');
  expect(await page.evaluate(() => document.activeElement?.matches('.jp-CodeCell'))).toBe(true);
  await page.keyboard.press('ControlOrMeta+Shift+C');
  await page.locator('.lm-CommandPalette-input').fill('Polling Lab Traffic');
  await page.locator('.lm-CommandPalette-item', { hasText: 'Traffic' }).first().click(PATIENCE);
  await lab.monitor.locator('#state[data-state=live]').waitFor(PATIENCE);
  await atLeast('#jp-main-dock-panel', 320);
  await atLeast('#jp-right-stack', 300);
});

test('redraws a live cell in place, without a flicker', LONG, async () => {
  await lab.open(firstUrl);
  const moving = await lab.insertBelow(
    lab.cells.last(),
    `import { live, progress } from './instruments/index.js';
import { setTimeout as sleep } from 'node:timers/promises';
let done = 0;
async function work() {
  for (; done < 1; done += 0.02) await sleep(60);
}
await live(() => progress({ title: 'On its way', done }), work());`,
  );
  await lab.begin(moving);
  await moving.locator('.jp-OutputArea-output img').waitFor(PATIENCE);
  const frames = await moving.locator('.jp-Cell-outputArea').evaluate(
    (area) =>
      new Promise<{ picture: string; height: number }[]>((resolve) => {
        const frames: { picture: string; height: number }[] = [];
        const look = () => {
          if (area.querySelector('.vega-embed')) return resolve(frames); // the last one, which stays
          const image = area.querySelector('img');
          const picture = image?.complete && image.naturalWidth > 0 ? image.src : '';
          frames.push({ picture, height: (area as HTMLElement).offsetHeight });
          requestAnimationFrame(look);
        };
        look();
      }),
  );
  // JupyterLab takes a moment to begin the live chart that takes their place.
  const moved = frames.slice(0, frames.findLastIndex(({ picture }) => picture) + 1);
  expect(new Set(moved.map(({ picture }) => picture)).size).toBeGreaterThan(5);
  expect(moved.filter(({ picture }) => !picture)).toEqual([]);
  expect(new Set(moved.map(({ height }) => height)).size).toBe(1); // what is below does not jump
});

describe.each(NOTEBOOKS)('%s', (notebook) => {
  test('runs, draws, shows its traffic, takes an answer, is stopped, begins anew and closes', LONG, async () => {
    await lab.open(urlOf(notebook));
    await lab.showTraffic();
    await lab.monitor.locator('#state[data-state=live]').waitFor(PATIENCE);
    const before = await requests();
    await lab.runAll();

    // No error box but those that the lesson wants.
    const cells = await saved(notebook);
    const tagged = (cell: ICell) => tagsOf(cell).includes('raises-exception');
    const untagged = cells.filter(isCode).filter((cell) => !tagged(cell));
    const failures = untagged.flatMap(({ outputs }) => outputs.filter(isError));
    expect(failures).toEqual([]);
    await expect.poll(() => lab.errors.count(), PATIENCE).toBe(cells.filter(tagged).length);
    const code = cells.filter(isCode).filter(({ source }) => textOf(source).trim());
    expect(code.filter(({ execution_count }) => !execution_count)).toEqual([]);

    // Each chart shows a mark for every row, and can be read in both themes.
    const specs = code
      .flatMap(({ outputs }) => outputs)
      .flatMap((output) => (dataOf(output)['application/vnd.vegalite.v5+json'] as unknown as VegaLite) ?? []);
    await expect.poll(() => lab.charts.count(), PATIENCE).toBe(specs.length);
    for (const [i, { data, description }] of specs.entries()) {
      const marks = await seen(lab.charts.nth(i));
      expect(marksEach(new Map(Object.entries(marks)), data.values.length), description).toBe(true);
    }
    await readInBothThemes();
    await openMenu();

    // Words of an output stay whole: JupyterLab would break a line anywhere.
    const words = lab.cells.locator('.jp-OutputArea-output pre').first();
    expect(await words.evaluate((pre) => getComputedStyle(pre).wordBreak)).toBe('normal');

    // What the cells sent was seen beside them.
    await expect.poll(requests, PATIENCE).toBeGreaterThan(before);

    await lookUp();
    await predictFirst(notebook);
    await answer(code);
    await stopAndGoOn();
    await restart();
    await close();
    expect(complaints).toEqual([]);
  });
});

interface VegaLite {
  description: string;
  data: { values: unknown[] };
}

/** A chart that stands takes the text color of the theme that the reader changes to, as errors do: WCAG asks for 4.5:1. */
async function readInBothThemes(): Promise<void> {
  const failed = await lab.insertBelow(lab.cells.last(), "throw new Error('mine');");
  await lab.run(failed);
  const words = failed.locator('.jp-OutputArea-output span');
  await words.first().waitFor(PATIENCE);
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    await page
      .locator(`body[data-jp-theme-light=${colorScheme === 'light'}]`)
      .waitFor({ ...PATIENCE, state: 'attached' });
    for (const chart of await lab.charts.all()) {
      await expect
        .poll(async () => Math.min(...(await contrasts(chart.locator('svg text')))), PATIENCE)
        .toBeGreaterThan(4.5);
    }
    expect(Math.min(...(await contrasts(words)))).toBeGreaterThan(4.5);
  }
}

/** The menu of a chart by the keyboard. Neither it nor anything else is cut off at the right, or scrolls sideways. */
async function openMenu(): Promise<void> {
  const button = lab.charts.first().getByLabel('Save the chart');
  const item = lab.charts.first().getByText('Save as SVG');
  await button.focus();
  await page.keyboard.press('Enter');
  await item.waitFor(PATIENCE);
  const tooWide = await lab.cells
    .locator('.jp-OutputArea-child')
    .evaluateAll((outputs) =>
      outputs.filter((output) => output.scrollWidth > output.clientWidth).map((o) => o.innerHTML),
    );
  expect(tooWide).toEqual([]);
  await page.keyboard.press('Tab');
  expect(await item.evaluate((link) => link === document.activeElement)).toBe(true);
  await page.keyboard.press('Escape');
  await item.waitFor({ ...PATIENCE, state: 'hidden' });
  expect(await button.evaluate((summary) => summary === document.activeElement)).toBe(true);
  await page.keyboard.press('Escape'); // once more: back to the cell, where Enter would edit
  expect(await page.evaluate(() => document.activeElement?.matches('.jp-CodeCell'))).toBe(true);
}

/** How many requests the monitor tells of. */
async function requests(): Promise<number> {
  await lab.monitor.locator('#experiment').selectOption('all');
  const figure = lab.monitor.locator('#figures div').filter({ has: page.getByText('requests', { exact: true }) });
  return Number(await figure.locator('dd').innerText());
}

/** The documentation of the instruments is where one looks for it: Shift + Tab, and Tab. */
async function lookUp(): Promise<void> {
  const asked = await lab.insertBelow(lab.cells.last(), 'await connect();');
  await asked.locator('.cm-line').click();
  for (const key of ['End', ...Array(4).fill('ArrowLeft'), 'Shift+Tab']) await page.keyboard.press(key);
  await page.locator('.jp-Tooltip', { hasText: "Finds the course's server, or starts one" }).waitFor(PATIENCE);
  await page.keyboard.press('Escape');
  const begun = await lab.insertBelow(lab.cells.last(), 'experim');
  await page.keyboard.press('Tab');
  await page.locator('.jp-Completer', { hasText: 'gives you a `fetch` that keeps a record' }).waitFor(PATIENCE);
  await page.keyboard.press('Enter');
  await begun.locator('.cm-content', { hasText: 'experiment' }).waitFor(PATIENCE);
}

/** A blank prediction asked for a number, and the notebook ran. A number is compared, drawn, and remembered once. */
async function predictFirst(notebook: string): Promise<void> {
  expect(await lab.cells.locator('.jp-OutputArea-output', { hasText: 'say a number first' }).count()).toBeGreaterThan(
    0,
  );
  const memory = join(copy.root, '.polling-lab', 'predicted', basename(notebook, '.ipynb'));
  expect(existsSync(memory)).toBe(false);
  const cell = await lab.insertBelow(lab.cells.last(), "predict('test cells', 5).compare(4, { ours: 6 });");
  await lab.run(cell);
  const compared = cell.locator('.jp-OutputArea-output', { hasText: 'you predicted 5, measured 4: 1 (20 %) less' });
  const [ring, dot] = await compared.locator('svg circle').all();
  expect((await ring!.boundingBox())!.x).toBeGreaterThan((await dot!.boundingBox())!.x);
  expect(await compared.getByText('We predicted 6').isVisible()).toBe(false);
  await compared.locator('summary', { hasText: 'Our guess' }).click();
  expect(await compared.getByText('We predicted 6').isVisible()).toBe(true);
  expect(JSON.parse(readFileSync(join(memory, 'test-cells.json'), 'utf8'))).toMatchObject({
    predicted: 5,
    measured: 4,
  });
}

/** Answers an exercise wrongly, then as its solution says. */
async function answer(code: ICodeCell[]): Promise<void> {
  const solved = (await lab.cells.locator('details code').allTextContents()).join('\n');
  // Of some, the solution is how to work out a number.
  const isShown = ([, name]: RegExpExecArray) => solved.includes(`const ${name}`);
  const exercise = code.map((cell) => EMPTY_ANSWER.exec(textOf(cell.source))).find((found) => found && isShown(found));
  if (!exercise) {
    expect(code.filter((cell) => EMPTY_ANSWER.test(textOf(cell.source)))).toEqual([]);
    return;
  }
  const [line, name, type] = exercise as unknown as [string, string, string];
  const given = exercise.input;
  const answerCell = lab.cell(`const ${name}: `); // its last line checks the answer
  const said = (text: string) => answerCell.locator('.jp-OutputArea-output', { hasText: text }).waitFor(PATIENCE);
  const solution = await lab.cells
    .locator('details code', { hasText: `const ${name}` })
    .first()
    .textContent();
  const answers = [
    ['✗ Not yet. ', given.replace(line, `const ${name}: ${type} = (() => null) as never;`)],
    ['✓ Solved. ', given.replace(line, solution!.replace('export ', ''))],
  ] as const;
  for (const [verdict, text] of answers) {
    await lab.write(answerCell, text);
    await lab.run(answerCell);
    await said(verdict);
    expect(await answerCell.locator('summary', { hasText: 'Hint' }).count()).toBe(verdict.startsWith('✗') ? 1 : 0);
  }
}

/** Work without end is stopped: its picture stands, one error says so, and the next cell runs. */
async function stopAndGoOn(): Promise<void> {
  const endless = await lab.insertBelow(
    lab.cells.last(),
    `import { live, progress } from './instruments/index.js';
await live(() => progress({ title: 'Waiting for nobody', done: 0.25 }), new Promise(() => {}));`,
  );
  await lab.begin(endless);
  await endless.locator('.jp-OutputArea-output img').waitFor(PATIENCE);
  await lab.button('Interrupt the kernel');
  const outputs = endless.locator('.jp-OutputArea-output');
  const box = outputs.filter({ hasText: 'KeyboardInterrupt: The cell was stopped.' });
  expect(await box.innerText(PATIENCE)).not.toContain('draw.ts'); // where it was waiting is of no interest
  expect(await outputs.count()).toBe(2);
  const next = await lab.insertBelow(endless, "console.log('and', 6 * 7)");
  await lab.run(next);
  await next.locator('.jp-OutputArea-output', { hasText: 'and 42' }).waitFor(PATIENCE);
}

/** After a restart the first cell runs again, and what was declared is forgotten. */
async function restart(): Promise<void> {
  await lab.button('Restart the kernel');
  await lab.accept();
  await lab.kernelIs('idle');
  await lab.run(lab.cells.first());
  expect(await lab.cells.first().locator('[data-mime-type="application/vnd.jupyter.error"]').count()).toBe(0);
}

async function close(): Promise<void> {
  await lab.save();
  const before = await kernels();
  await lab.menu('File', 'Close and Shut Down Notebook…');
  await lab.accept();
  await expect.poll(kernels, PATIENCE).toBe(before - 1);
}
