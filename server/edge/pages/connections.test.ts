import type { Locator, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { hardToUse, TIMEOUT, withBrowser } from './visit.js';

const visit = withBrowser();

/** Opens the page and presses Run. */
async function run(path: string): Promise<Page> {
  const page = await visit.open(path);
  await page.getByRole('button', { name: 'Run' }).click();
  return page;
}

const says = (page: Page, text: RegExp) => page.locator('#state').filter({ hasText: text }).waitFor(TIMEOUT);
const lanes = (page: Page, text: string) => page.locator('#lanes li').filter({ hasText: text });
/** The lanes are drawn some times a second, and the state at once: they follow it. */
const shows = (lanes: Locator, count: number) => expect.poll(() => lanes.count(), TIMEOUT).toBe(count);

test('asks for nothing until it is told to, and then shows which requests wait', async () => {
  const page = await visit.open('/connections?streams=8');
  await says(page, /Press Run/);
  expect((await visit.lab.traffic()).requests.map(({ route }) => route)).toEqual(['/connections']);
  for (let round = 0; round < 2; round += 1) {
    await page.getByRole('button', { name: 'Run' }).click();
    await says(page, /6 are open, 3 wait/);
    await shows(lanes(page, 'waits'), 3);
    await says(page, /Done: the short poll was answered after \d+ ms/);
    await shows(lanes(page, 'event-stream'), 8);
    await shows(lanes(page, 'never'), 0);
  }
  expect(await page.locator('[name=streams]').inputValue()).toBe('8');
  expect(visit.complaints).toEqual([]);
});

test('can be left with six streams open: the request for the next page is not stuck behind them', async () => {
  const page = await run('/connections?streams=8');
  await lanes(page, 'open after').nth(5).waitFor(TIMEOUT);
  await page.goto(visit.server.url);
  await page.getByRole('heading', { name: 'traffic' }).waitFor(TIMEOUT);
});

test.each([
  ['by one stream of all jobs', 'streams=20&cure=one-stream', 1],
  ['over four host names', 'streams=20&hosts=4', 20],
])('has room for the poll %s', async (_name, query, streams) => {
  const page = await run(`/connections?${query}`);
  await says(page, /^Done/);
  await shows(lanes(page, ''), streams + 1);
  expect(visit.complaints).toEqual([]);
});

test.each(['none', 'shared-worker', 'leader'])('follows one job in three tabs, with the cure %s', async (cure) => {
  const page = await run(`/connections?tabs=3&pace=1&cure=${cure}`);
  await says(page, /^Done/);
  expect(await page.locator('#lanes li').allInnerTexts()).toEqual(
    expect.arrayContaining([1, 2, 3].map((tab) => expect.stringMatching(new RegExp(`^tab ${tab}\\s+after \\d+ ms`)))),
  );
  expect(visit.complaints).toEqual([]);
});

test('asks in other ways, too, where it is given a port', async () => {
  const page = await run(`/connections?streams=6&pace=1&probe=${new URL(visit.server.url).port}`);
  await says(page, /^Done/);
  for (const name of ['another host name', 'another port', 'WebSocket']) await shows(lanes(page, name), 1);
  await shows(lanes(page, 'refused'), 0);
  // The server speaks no WebSocket and says so: the one complaint, and none of the policy.
  expect(visit.complaints).toEqual([expect.stringMatching(/^WebSocket connection to .* failed/)]);
});

test('says what it expects where it does not know a word', async () => {
  const page = await visit.open('/connections?cure=wish%E2%80%AEful');
  await says(page, /cure expects none, one-stream, shared-worker, leader or when-visible, got "wish\\u{202e}ful"/);
  expect(visit.complaints).toEqual([]);
});

test('is accessible: before a trial and after it, light and dark, on a phone and at a zoom of 200 %', async () => {
  const page = await visit.open('/connections?streams=8&pace=1');
  expect(await hardToUse(page)).toEqual([]);
  await page.getByRole('button', { name: 'Run' }).click();
  await says(page, /^Done/);
  expect(await hardToUse(page)).toEqual([]);
});
