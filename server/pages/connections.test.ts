import { rm } from 'node:fs/promises';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { findChromium } from '../conformance/machine.js';
import { type LocalServer, need, startServer, temporaryFolder } from '../conformance/server.js';

const TIMEOUT = { timeout: 60_000 };
const executablePath = findChromium();
let browser: Browser | undefined;
let context: BrowserContext;
let data: string;
let server: LocalServer;
/** What the page complained of. */
let complaints: string[];

beforeAll(async () => {
  if (!executablePath) return;
  const args = ['--disable-background-networking', '--disable-component-update', '--no-first-run'];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', ...args] });
});
afterAll(() => browser?.close());

beforeEach(async (test) => {
  need(test, browser, 'Chromium, Chrome or Edge (CHROME_PATH names one)');
  data = await temporaryFolder();
  server = await startServer([], { data });
  context = await browser!.newContext();
});
afterEach(async () => {
  await context?.close();
  await server?.stop();
  if (data) await rm(data, { recursive: true, force: true });
});

async function open(path: string): Promise<Page> {
  const page = await context.newPage();
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(server.url + path);
  return page;
}

const says = (page: Page, text: RegExp) => page.locator('#state').filter({ hasText: text }).waitFor(TIMEOUT);
const lanes = (page: Page, text: string) => page.locator('#lanes li').filter({ hasText: text });
/** The lanes are drawn some times a second, and the state at once: they follow it. */
const shows = (lanes: Locator, count: number) => expect.poll(() => lanes.count(), TIMEOUT).toBe(count);

test('asks for nothing until it is told to, and then shows who waits', async () => {
  const page = await open('/connections');
  await says(page, /Press Run/);
  await page.getByRole('button', { name: 'Run' }).click();
  await says(page, /6 are open, 3 wait/);
  await shows(lanes(page, 'waits'), 3);
  await says(page, /Done: the short poll was answered after \d+ ms/);
  await shows(lanes(page, 'event-stream'), 8);
  await shows(lanes(page, 'never'), 0);
  expect(await page.locator('[name=streams]').inputValue()).toBe('8');
  expect(complaints).toEqual([]);
});

test('can be left with six streams open: the request for the next page is not stuck behind them', async () => {
  const page = await open('/connections?streams=8');
  await lanes(page, 'open after').nth(5).waitFor(TIMEOUT);
  await page.goto(server.url);
  await page.getByRole('heading', { name: 'traffic' }).waitFor(TIMEOUT);
});

test.each([
  ['by one stream of all jobs', 'streams=20&cure=one-stream', 1],
  ['over four host names', 'streams=20&hosts=4', 20],
])('has room for the poll %s', async (_name, query, streams) => {
  const page = await open(`/connections?${query}`);
  await says(page, /^Done/);
  await shows(lanes(page, ''), streams + 1);
  expect(complaints).toEqual([]);
});

test('says what it expects where it does not know a word', async () => {
  const page = await open('/connections?cure=wishful');
  await says(page, /cure expects none, one-stream, shared-worker, leader or when-visible, got "wishful"/);
  expect(complaints).toEqual([]);
});
