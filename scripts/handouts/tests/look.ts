import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A4 less its margins, in CSS pixels. */
const PAPER = Math.floor((170 / 25.4) * 96);

/**
 * Where a page is looked at. Colors are the same at every width, and widths in every color. At 200 % a window of 1280 pixels is
 * 640 wide to its page (WCAG 1.4.4); only `npm run soak -- --only handouts` looks there.
 */
const VIEWS = [
  { name: 'wide and light', width: 1280, colorScheme: 'light' },
  { name: 'phone and dark', width: 390, colorScheme: 'dark' },
  ...(process.env.SOAK === '1' ? [{ name: 'at 200 %', width: 640, colorScheme: 'dark' } as const] : []),
] as const;

/** Opens a page everywhere that it is read, and tells what is wrong with it. */
export async function look(browser: Browser, file: string): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, width, colorScheme } of VIEWS) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    const say = (what: string) => problems.push(`${name}: ${what}`);
    page.on('request', (request) => {
      if (!/^(file|data):/.test(request.url())) say(`asks for ${request.url()}`);
    });
    page.on('requestfailed', (request) => say(`does not get ${request.url()}`));
    page.on('console', (message) => say(`the console says: ${message.text()}`));
    page.on('pageerror', (error) => say(`throws ${error.message}`));
    await page.goto(pathToFileURL(file).href);
    await page.evaluate(() => document.fonts.ready);
    await enliven(page);
    for (const what of await page.evaluate(overflowing, width)) say(what);
    for (const what of await page.evaluate(unfitting)) say(what);
    for (const what of await page.evaluate(hollow)) say(what);
    for (const what of await accessibility(page)) say(what);
    if (colorScheme === 'light') {
      for (const what of await wrongSliders(page)) say(what);
      await page.emulateMedia({ media: 'print' });
      await page.setViewportSize({ width: PAPER, height: 900 });
      for (const what of await page.evaluate(overflowing, PAPER)) problems.push(`paper: ${what}`);
    }
    await context.close();
  }
  return problems;
}

/** Scrolls through a page until every chart that can be live is. */
async function enliven(page: Page): Promise<void> {
  for (const chart of await page.locator('.chart').all()) {
    await chart.scrollIntoViewIfNeeded();
    await chart.locator('svg').waitFor();
  }
}

/** What is wrong with sliders: a key moves one and nothing of its plot, or the number beside it has no separators. */
async function wrongSliders(page: Page): Promise<string[]> {
  const wrong: string[] = [];
  for (const chart of await page.locator('.chart:has(.vega-bind)').all()) {
    const plot = await chart.locator('svg').elementHandle();
    for (const slider of await chart.locator('.vega-bind input').all()) {
      const moves = async (key: string) => {
        const before = await plot!.innerHTML();
        await slider.press(key);
        const changed = ([plot, before]: [Element, string]) => plot.innerHTML !== before;
        return page
          .waitForFunction(changed, [plot!, before] as [NonNullable<typeof plot>, string], { timeout: 5_000 })
          .then(
            () => true,
            () => false,
          );
      };
      // A slider may stand at one of its ends.
      const moved = (await moves('End')) || (await moves('Home'));
      const said = await slider.locator('..').innerText();
      if (!moved) wrong.push(`the slider "${said}" moves nothing`);
      if (/\d{4}$/.test(said.trim())) wrong.push(`the slider "${said}" has a number without separators`);
    }
  }
  return wrong;
}

async function accessibility(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } };
    interface Violation {
      id: string;
      impact: string;
      nodes: { html: string }[];
    }
    const { violations } = await axe.run({ preload: false, resultTypes: ['violations'] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0]!.html.slice(0, 200) }));
  });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, html }) => `is not accessible (${id}): ${html}`);
}

/** What sticks out of the page, or is cut off by what it stands in. Runs in the page. */
function overflowing(width: number): string[] {
  const name = (element: Element) => `<${element.localName} class="${element.getAttribute('class') ?? ''}">`;
  const scrolls = (element: Element | null): boolean =>
    element !== null && (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  const problems: string[] = [];
  for (const element of document.body.querySelectorAll<HTMLElement>('*')) {
    const { overflowX, overflowY, display } = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (display === 'none' || box.width === 0 || element.closest('.hidden, .skip')) continue;
    const text = `${name(element)} ${(element.textContent ?? '').trim().slice(0, 60)}`;
    if ((box.right > width + 1 || box.left < -1) && !scrolls(element)) {
      problems.push(`sticks out to ${Math.round(box.right)} of ${width}: ${text}`);
    }
    const cut =
      (/hidden|clip/.test(overflowX) && element.scrollWidth > element.clientWidth + 1) ||
      (/hidden|clip/.test(overflowY) && element.scrollHeight > element.clientHeight + 1);
    if (cut && !element.closest('svg')) problems.push(`is cut off: ${text}`);
  }
  return problems;
}

/** Lines of code that begin with an empty line: their indentation alone. Runs in the page. */
function hollow(): string[] {
  return [...document.querySelectorAll('.line')].flatMap((line) => {
    const words = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    for (let text = words.nextNode(); text; text = words.nextNode()) {
      const at = text.textContent!.search(/\S/);
      if (at < 0) continue;
      const first = document.createRange();
      first.setStart(text, at);
      first.setEnd(text, at + 1);
      const [letter, all] = [first.getBoundingClientRect(), line.getBoundingClientRect()];
      // What is in a folded cell has no size.
      return letter.top - all.top > letter.height ? [`begins with an empty line: ${line.textContent!.trim()}`] : [];
    }
    return [];
  });
}

/** Plots that do not fill their place, or cut off some of their words. Runs in the page. */
function unfitting(): string[] {
  const FILLED = 0.9;
  return [...document.querySelectorAll<SVGElement>('.chart svg')].flatMap((plot) => {
    const [own, place] = [plot, plot.closest('.chart')!].map((element) => element.getBoundingClientRect()) as [
      DOMRect,
      DOMRect,
    ];
    const title = plot.querySelector('.role-title text')?.textContent ?? 'a plot';
    const share = own.width / place.width;
    const cut = [...plot.querySelectorAll('text')].filter((text) => {
      const { textContent } = text;
      const { width, left, right, top, bottom } = text.getBoundingClientRect();
      const sticksOut = left < own.left - 1 || right > own.right + 1 || top < own.top - 1 || bottom > own.bottom + 1;
      return width > 0 && (sticksOut || (textContent ?? '').endsWith('…')); // Vega shortens what is too long
    });
    return [
      ...(share < FILLED || share > 1.01 ? [`"${title}" has ${share.toFixed(2)} of the width of its place`] : []),
      ...cut.map(({ textContent }) => `"${title}" cuts off "${textContent}"`),
    ];
  });
}
