import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { startServer } from '../../conformance/server.js';
import { TIMEOUT, withBrowser } from './visit.js';

const visit = withBrowser();

/** Opens the page, and waits until it hears the server. */
async function open(url = visit.server.url): Promise<Page> {
  const page = await visit.open(url);
  await page.selectOption('#span', '300'); // on a slow machine 30 s are soon over
  await state(page, 'live');
  return page;
}

const state = (page: Page, name: string) => page.locator(`#state[data-state=${name}]`).waitFor(TIMEOUT);
const lane = (page: Page, name: string) => page.locator('.lane').filter({ has: page.getByText(name, { exact: true }) });
const bars = (page: Page, name: string) => lane(page, name).locator('.bar');
const count = async (page: Page, name: string, expected: number) => {
  await expect.poll(() => bars(page, name).count(), TIMEOUT).toBe(expected);
};
const job = (page: Page, jobId: string) =>
  page.locator('#jobs li').filter({ has: page.locator(`a[href="jobs/${jobId}"]`) });
const progress = (page: Page, jobId: string) =>
  job(page, jobId)
    .locator('progress')
    .evaluate((bar) => (bar as HTMLProgressElement).value);

test('draws each request in the lane of its technique, from its arrival to its end', async () => {
  const page = await open();
  const Experiment = 'one <b>bold</b> try';
  const { jobId } = await visit.lab.manual({ Experiment });
  await visit.lab.get(`/jobs/${jobId}`, { Experiment });
  const poll = visit.lab.get(`/jobs/${jobId}/result`, { Experiment, Prefer: 'wait=60' });
  const stream = await visit.lab.stream(`/jobs/${jobId}/events`, { Experiment });
  const batch = visit.lab.consume(`/jobs/${jobId}/events?min=9&wait=60`, { Experiment });
  for (const name of ['submit', 'short poll', 'long poll', 'event stream', 'consume']) {
    await count(page, name, 1);
  }
  expect(await page.locator('.bar:not(.ended)').count()).toBe(3 + 2); // and two in the legend

  // What is held, is held; what has ended, ends.
  const longPoll = bars(page, 'long poll');
  expect(await longPoll.getAttribute('title')).toContain('held');
  await visit.lab.progress(jobId, 0.5);
  await bars(page, 'event stream').locator('i').first().waitFor(TIMEOUT); // an event's mark
  await expect.poll(() => progress(page, jobId), TIMEOUT).toBe(0.5);
  await visit.lab.finish(jobId, { result: 1 });
  await poll;
  await batch;
  for (const name of ['long poll', 'consume'])
    await page.locator(`.lane .bar.ended[title*="${name}"]`).waitFor(TIMEOUT);
  expect(await bars(page, 'consume').locator('i').count()).toBe(0); // its events came with its one answer
  await job(page, jobId).getByText('succeeded').waitFor(TIMEOUT);

  // A bar is as long as the ledger says the request took, on the scale of the axis.
  const row = (await visit.lab.traffic(Experiment)).requests.find((r) => r.technique === 'long-poll')!;
  const took = Date.parse(row.endedAt!) - Date.parse(row.arrivedAt);
  await page.selectOption('#span', '30');
  const pane = (await lane(page, 'long poll').locator('.pane').boundingBox())!;
  const { width } = (await longPoll.boundingBox())!;
  expect(Math.abs(width - Math.max(4, (pane.width * took) / 30_000))).toBeLessThan(1.5);

  // Figures and table are those of the ledger, and a name is text.
  const line = page.locator('#requests tr').filter({ hasText: 'long poll' });
  await line.getByText(Experiment, { exact: true }).waitFor(TIMEOUT);
  await page.selectOption('#experiment', Experiment);
  stream.close();
  const { requests } = await visit.lab.quiet(Experiment).then(() => visit.lab.traffic(Experiment));
  const figure = page.locator('#figures div').filter({ hasText: 'bytes out' }).locator('dd');
  const sum = requests.reduce((total, { bytesOut }) => total + bytesOut, 0);
  await expect.poll(() => figure.innerText(), TIMEOUT).toBe(`${(sum / 1000).toFixed(1)} kB`);
  expect(visit.complaints).toEqual([]);
});

test('shows all, one experiment, or its own requests; can be paused and cleared', async () => {
  const page = await open();
  const one = await visit.lab.manual({ Experiment: 'one' });
  await visit.lab.manual({ Experiment: 'two' });
  await count(page, 'submit', 2);
  await count(page, 'event stream', 0); // its own is left out
  await page.selectOption('#experiment', 'two');
  await count(page, 'submit', 1);
  await page.selectOption('#experiment', { label: 'this page' });
  await count(page, 'submit', 0);
  await count(page, 'event stream', 1);
  await page.selectOption('#experiment', { label: 'all' });

  await page.getByRole('button', { name: 'Pause' }).click();
  const paused = await visit.lab.manual();
  await visit.lab.manual({ Experiment: 'three' });
  await page.selectOption('#experiment', { label: 'one' }); // draws, but nothing that came later
  await count(page, 'submit', 1);
  await page.selectOption('#experiment', { label: 'all' });
  await count(page, 'submit', 2);
  await page.getByRole('button', { name: 'Pause', pressed: true }).click();
  await count(page, 'submit', 4);

  await visit.lab.finish(one.jobId);
  await job(page, one.jobId).getByText('succeeded').waitFor(TIMEOUT);
  await page.getByRole('button', { name: 'Clear' }).click();
  await count(page, 'submit', 0);
  await expect.poll(() => job(page, one.jobId).count(), TIMEOUT).toBe(0);
  await expect.poll(() => job(page, paused.jobId).count(), TIMEOUT).toBe(1); // it runs
  expect(visit.complaints).toEqual([]);
});

test('a job that begins while the list of jobs is on its way is the newest of them', async () => {
  for (let n = 0; n < 12; n++) await visit.lab.manual();
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await visit.context.route('**/jobs?*', async (route) => {
    const response = await route.fetch(); // the list is made before the job begins, and arrives after the job's first event
    await released;
    await route.fulfill({ response });
  });
  const page = await visit.context.newPage();
  const listed = page.waitForRequest('**/jobs?*');
  await page.goto(visit.server.url);
  await listed;
  const { jobId } = await visit.lab.manual();
  await job(page, jobId).waitFor(TIMEOUT);
  release();
  await expect.poll(() => page.locator('#jobs li').count(), TIMEOUT).toBe(10);
  expect(await page.locator('#jobs li').first().locator('a').getAttribute('href')).toBe(`jobs/${jobId}`);
});

test('a hidden page gives its connections back, and takes up again when it is seen', async () => {
  const page = await open();
  const show = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const streams = async () => (await visit.lab.traffic('monitor')).totals['event-stream']?.open;
  await expect.poll(streams, TIMEOUT).toBe(1);
  await show(true);
  await state(page, 'asleep');
  await visit.lab.quiet('monitor');
  const { jobId } = await visit.lab.manual();
  await visit.lab.progress(jobId, 0.25);
  await show(false);
  await state(page, 'live');
  await expect.poll(streams, TIMEOUT).toBe(1);
  await count(page, 'submit', 1);
  await expect.poll(() => progress(page, jobId), TIMEOUT).toBe(0.25);
  expect(visit.complaints).toEqual([]);
});

describe.each([
  ['directly', async () => ({ url: visit.server.url, close: () => {} })],
  ['behind a proxy that says 502 meanwhile, under a path prefix', () => proxy('/user/proxy/4321/')],
])('read %s', (_, route) => {
  test('goes on when the server comes back, and knows what was cut off', async () => {
    const { url, close } = await route();
    try {
      const page = await open(url);
      const { jobId } = await visit.lab.manual();
      const stream = await visit.lab.stream(`/jobs/${jobId}/events`);
      stream.ended.catch(() => {}); // it will be cut off: that is the point
      await count(page, 'event stream', 1);
      await expect.poll(() => job(page, jobId).count(), TIMEOUT).toBe(1);
      await visit.server.crash();
      await state(page, 'reconnecting');
      visit.server = await startServer(['--port', new URL(visit.server.url).port], { data: visit.data });
      await state(page, 'live');
      await page.locator('.lane .bar.ended[title*="event stream"]').waitFor(TIMEOUT);
      await count(page, 'submit', 1); // what was drawn stays
      await visit.lab.progress(jobId, 0.75);
      await expect.poll(() => progress(page, jobId), TIMEOUT).toBe(0.75);
      await visit.lab.manual();
      await count(page, 'submit', 2);
      await expect.poll(() => page.locator('#jobs li').count(), TIMEOUT).toBe(2);
    } finally {
      close();
    }
  });
});

/** A reverse proxy, as JupyterHub's and many another: it strips a prefix, and answers for a server that is away. */
async function proxy(prefix: string): Promise<{ url: string; close: () => void }> {
  const { port: upstream } = new URL(visit.server.url);
  const front = http.createServer((req, res) => {
    if (!req.url?.startsWith(prefix)) return void res.writeHead(404).end();
    const path = `/${req.url.slice(prefix.length)}`;
    const headers = { ...req.headers, host: `127.0.0.1:${upstream}` };
    const onward = http.request({ port: upstream, path, method: req.method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      res.flushHeaders();
      answer.pipe(res);
      answer.on('error', () => res.destroy());
    });
    onward.on('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const { port } = front.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${prefix}`,
    close: () => {
      front.closeAllConnections();
      front.close();
    },
  };
}
