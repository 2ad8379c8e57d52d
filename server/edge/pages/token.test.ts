import { expect, test } from 'vitest';
import { hardToUse, TIMEOUT, withBrowser } from './visit.js';

const TOKEN = 'q7~Zt.very-secret_0123+/=';
const visit = withBrowser({ env: { ACCESS_TOKEN: TOKEN, LISTEN: '0.0.0.0' } });

test('the pages are opened with the access token, which is seen nowhere, and is asked for where it is missing', async () => {
  const page = await visit.open('/');
  const { url } = visit.server;
  const live = () => page.getByText('live', { exact: true }).waitFor(TIMEOUT); // both of its streams are open
  const open = async (token: string) => {
    await page.getByLabel('Access token').fill(token);
    await page.getByRole('button', { name: 'Open' }).click();
  };
  await open('not-the-token-of-this-server');
  await page.getByText('This is not the access token').waitFor(TIMEOUT);
  expect(page.url()).toBe(`${url}/`);
  await open(TOKEN);
  await live();
  expect(page.url()).toBe(`${url}/`);
  await page.reload();
  await live();
  await page.getByRole('button', { name: /^long poll/i }).click();
  await page.locator('#jobs li').first().waitFor(TIMEOUT);
  expect(await page.evaluate(() => document.documentElement.outerHTML)).not.toContain('very-secret');

  await page.goto(`${url}/connections?streams=2&pace=1&access_token=${encodeURIComponent(TOKEN)}`);
  expect(page.url()).toBe(`${url}/connections?streams=2&pace=1`);
  await page.getByRole('button', { name: 'Run' }).click();
  await page.getByText('Done: the short poll was answered').waitFor(TIMEOUT);
  // An answer 401 is an error to the console.
  expect(visit.complaints.filter((text) => !/\b401\b/.test(text))).toEqual([]);
}, 180_000);

test('the page that asks for the token is accessible, light and dark, on a phone and at a zoom of 200 %', async () => {
  expect(await hardToUse(await visit.open('/'))).toEqual([]);
});
