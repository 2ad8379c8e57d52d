import { expect, test } from 'vitest';
import { TIMEOUT, withBrowser } from './visit.js';

const TOKEN = 'q7~Zt.very-secret_0123+/=';
const visit = withBrowser({ env: { ACCESS_TOKEN: TOKEN, LISTEN: '0.0.0.0' } });

test('the live page is opened with the access token, which is seen nowhere, and is asked for where it is missing', async () => {
  const asked = await visit.open('/');
  await asked.getByLabel('Access token').fill('not-the-token-of-this-server');
  await asked.getByRole('button', { name: 'Open' }).click();
  await asked.getByText('This is not the access token').waitFor(TIMEOUT);
  expect(asked.url()).toBe(`${visit.server.url}/`);
  await asked.getByLabel('Access token').fill(TOKEN);
  await asked.getByRole('button', { name: 'Open' }).click();
  // An answer 401 is an error to the console.
  expect(visit.complaints.splice(0).filter((text) => !/\b401\b/.test(text))).toEqual([]);

  for (const page of [asked, await visit.open(`/?access_token=${encodeURIComponent(TOKEN)}`)]) {
    await page.getByText('live', { exact: true }).waitFor(TIMEOUT); // both of its streams are open
    expect(page.url()).toBe(`${visit.server.url}/`);
    await page.reload();
    await page.getByText('live', { exact: true }).waitFor(TIMEOUT);
    await page.getByRole('button', { name: /^long poll/i }).click();
    await page.locator('#jobs li').first().waitFor(TIMEOUT);
    const seen = await page.evaluate(() => document.documentElement.outerHTML);
    expect(seen).not.toContain('very-secret');
  }
  expect(visit.complaints.filter((text) => !/\b401\b/.test(text))).toEqual([]);
}, 180_000);

test('the page that tries streams works with it', async () => {
  const page = await visit.open(`/connections?streams=2&pace=1&access_token=${encodeURIComponent(TOKEN)}`);
  expect(page.url()).toBe(`${visit.server.url}/connections?streams=2&pace=1`);
  await page.getByRole('button', { name: 'Run' }).click();
  await page.getByText('Done: the short poll was answered').waitFor(TIMEOUT);
  expect(visit.complaints).toEqual([]);
}, 180_000);
