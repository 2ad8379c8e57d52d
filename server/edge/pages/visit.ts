import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { findBrowser } from '../../../scripts/shared/find-program.mjs';
import { need } from '../../../scripts/test/need.js';
import { Client } from '../../conformance/client.js';
import { type LocalServer, type StartOptions, startServer, temporaryFolder } from '../../conformance/server.js';

/** How long a page may take, in milliseconds: a loaded machine is slow, not wrong. */
export const TIMEOUT = { timeout: 60_000 };

/** Leads the browser to this machine when it looks for another site. */
const OTHER_SITE = '--host-resolver-rules=MAP evil.example 127.0.0.1';

/** What each test of a page has: a server of its own, and a browser with a fresh profile. */
export class Visit {
  browser: Browser | undefined;
  context!: BrowserContext;
  data = '';
  server!: LocalServer;
  lab!: Client;
  /** What the pages complained of: errors, and what their content security policy has refused. */
  complaints: string[] = [];

  /** Opens a page, an address or a path of the server. Each thing that it complains of is kept. */
  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && this.complaints.push(message.text()));
    await page.goto(new URL(url, this.server.url).href);
    return page;
  }
}

/** Starts a server and a browser for each test of the file, and ends them. */
export function withBrowser(options: StartOptions = {}): Visit {
  const visit = new Visit();
  const executablePath = findBrowser();
  beforeAll(async () => {
    const quiet = ['--disable-background-networking', '--disable-component-update', '--no-first-run'];
    if (executablePath)
      visit.browser = await chromium.launch({ executablePath, args: ['--no-sandbox', ...quiet, OTHER_SITE] });
  });
  afterAll(() => visit.browser?.close());
  beforeEach(async (test) => {
    need(test, visit.browser, 'Chromium, Chrome or Edge (CHROME_PATH names one)');
    visit.data = await temporaryFolder();
    visit.server = await startServer([], { ...options, data: visit.data });
    visit.lab = new Client(visit.server.url);
    visit.complaints = [];
    visit.context = await visit.browser!.newContext();
    // A policy's violation is an event of the document that it happens in; the console may leave some out.
    await visit.context.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        console.error(`The policy refused ${blockedURI} (${violatedDirective}).`);
      });
    });
  });
  afterEach(async () => {
    await visit.context?.close();
    await visit.server?.stop();
    if (visit.data) await rm(visit.data, { recursive: true, force: true });
  });
  return visit;
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A wide window, the same at a zoom of 200 %, and a phone. Colors are the same at every width. */
const VIEWS = [
  { width: 1280, colorScheme: 'light' },
  { width: 640, colorScheme: 'dark' },
  { width: 390, colorScheme: 'light' },
] as const;

/**
 * What is hard to read or to use on a page, in each of `VIEWS`: what axe finds, what sticks out at the right, fields
 * and buttons whose edge has less than the 3:1 of WCAG 1.4.11, and names of an axis that touch. In words; nothing if all is well.
 */
export async function hardToUse(page: Page): Promise<string[]> {
  const found: string[] = [];
  await page.evaluate(AXE);
  for (const { width, colorScheme } of VIEWS) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 800 });
    const faults = [...(await page.evaluate(violations)), ...(await page.evaluate(unclear))];
    found.push(...faults.map((what) => `${colorScheme}, ${width} pixels wide: ${what}`));
  }
  return found;
}

/** Runs in the page. */
async function violations(): Promise<string[]> {
  const { axe } = window as unknown as { axe: typeof import('axe-core') };
  const found = await axe.run();
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
}

/** Runs in the page. */
function unclear(): string[] {
  const found: string[] = [];
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) found.push(`sticks out by ${over} pixels`);
  const paper = getComputedStyle(document.body).backgroundColor;
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
  // The canvas knows every notation of a color, and mixes one that lets the paper through.
  const luminance = (color: string): number => {
    for (const layer of [paper, color]) {
      context.fillStyle = layer;
      context.fillRect(0, 0, 1, 1);
    }
    const [red, green, blue] = [...context.getImageData(0, 0, 1, 1).data].map((value) =>
      value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  for (const field of document.querySelectorAll('input, select, button:not(.link, .bar)')) {
    if (!field.checkVisibility() || field.matches('[type=checkbox], [type=radio], [type=range]')) continue;
    const both = [luminance(getComputedStyle(field).borderTopColor), luminance(paper)];
    const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    if (contrast < 3) found.push(`an edge of ${contrast.toFixed(1)}:1: ${field.outerHTML.slice(0, 60)}`);
  }
  const names = [...document.querySelectorAll('.axis *')]
    .filter((name) => name.childElementCount === 0 && name.checkVisibility({ visibilityProperty: true }))
    .map((name) => {
      const text = document.createRange();
      text.selectNodeContents(name);
      return { text: name.textContent, box: text.getBoundingClientRect() };
    });
  for (const [i, { text, box }] of names.entries()) {
    const next = names[i + 1];
    if (next && next.box.left - box.right < 4) found.push(`"${text}" touches "${next.text}"`);
  }
  return found;
}
