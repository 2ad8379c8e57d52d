import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { startServer } from '../../conformance/server.js';
import { hardToUse, TIMEOUT, withBrowser } from './visit.js';

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
  await page.selectOption('#experiment', `experiment:${Experiment}`);
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
  await page.selectOption('#experiment', 'all');
  await count(page, 'submit', 2);
  await count(page, 'event stream', 0); // its own is left out
  await page.selectOption('#experiment', 'experiment:two');
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

test('follows the newest experiment, with those that began beside it, and requests without a name', async () => {
  const page = await open();
  const heading = page.locator('#shown');
  const now = Date.now();
  let id = 0;
  /** A short poll that arrived so many milliseconds ago. */
  const row = (experiment: string | null, ago: number) => {
    const at = new Date(now - ago).toISOString();
    const times = { arrivedAt: at, answeredAt: at, endedAt: at };
    return { id: ++id, method: 'GET', route: '/jobs/{id}', technique: 'short-poll', status: 200, experiment, ...times };
  };
  const rows = [
    row('01-first / old #1', 9_000),
    row(null, 8_000),
    ...[row('02-second / one #2', 3_000), row('02-second / two #3', 2_500), row('01-first / old #1', 2_000)],
    row(null, 1_000),
  ];
  await visit.context.route('**/traffic', (route) => route.fulfill(stream({ requests: rows })));
  await page.reload();
  await page.selectOption('#span', '300');
  await count(page, 'short poll', 3);
  await heading.getByText('02-second: two #3, and 1 more', { exact: true }).waitFor(TIMEOUT);

  // The others are listed under their notebooks.
  const groups = page.locator('#experiment optgroup');
  const labels = await groups.evaluateAll((all) => all.map((group) => (group as HTMLOptGroupElement).label));
  expect(labels).toEqual(['02-second', '01-first']);
  await page.selectOption('#experiment', 'notebook:01-first');
  await count(page, 'short poll', 2);
  await heading.getByText('01-first', { exact: true }).waitFor(TIMEOUT);
  await page.selectOption('#experiment', 'experiment:02-second / one #2');
  await count(page, 'short poll', 1);
  await heading.getByText('02-second: one #2', { exact: true }).waitFor(TIMEOUT);
  expect(visit.complaints).toEqual([]);
});

/** The answer of a stream that tells once of the ledger, and is then silent until its client comes back. */
const stream = (told: object) => ({
  contentType: 'text/event-stream',
  body: `retry: 600000\n\nevent: traffic\ndata: ${JSON.stringify(told)}\n\n`,
});

test('tells how many requests came a second: the mean of the time that is shown, and the most', async () => {
  const page = await open();
  const at = new Date().toISOString();
  const times = { arrivedAt: at, answeredAt: at, endedAt: at };
  const requests = Array.from({ length: 600 }, (_, id) => ({ id, method: 'GET', route: '/jobs/{id}', ...times }));
  await visit.context.route('**/traffic', (route) => route.fulfill(stream({ requests })));
  await page.reload();
  await page.selectOption('#span', '300');
  const figure = page.locator('#figures div').filter({ hasText: 'requests a second' }).locator('dd');
  await expect.poll(() => figure.innerText(), TIMEOUT).toBe('2.0');
  expect(await page.locator('.column').count()).toBe(1); // of five seconds
  await page.locator('.lane', { hasText: 'requests each second' }).getByText('at most 120').waitFor(TIMEOUT);
});

test('an empty page offers a try of each technique', async () => {
  const page = await open();
  await visit.context.route('**/jobs?experiment=live*', (route) => {
    const brief = { ...route.request().postDataJSON(), durationMs: 300 };
    return route.continue({ postData: JSON.stringify(brief) });
  });
  await page.getByText('No requests yet.').waitFor(TIMEOUT);
  const names = ['short poll', 'long poll', 'event stream'];
  for (const name of names) await page.locator('#try').getByRole('button', { name, exact: true }).click();
  await expect.poll(() => page.locator('#jobs .succeeded').count(), TIMEOUT).toBe(3);
  await expect.poll(() => page.locator('#try button[aria-disabled]').count(), TIMEOUT).toBe(0);
  // On a slow machine, a try may begin over a second before the last one, and then "newest" leaves it out.
  await page.selectOption('#span', '300');
  await page.selectOption('#experiment', 'all');
  for (const name of names) await expect.poll(() => bars(page, name).count(), TIMEOUT).toBeGreaterThan(0);
  await expect.poll(() => page.locator('.lane .bar:not(.ended)').count(), TIMEOUT).toBe(0); // what was opened is closed
  const { requests } = await visit.lab.traffic();
  const tried = new Set(requests.map(({ experiment }) => experiment?.replace(/#.*/, '')));
  for (const name of names) expect(tried).toContain(`live page / ${name} `);
  expect(await page.locator('#fault').innerText()).toBe('');
  expect(visit.complaints).toEqual([]);
});

test('says what a try has met, and can be tried again', async () => {
  const page = await open();
  await visit.context.route('**/jobs?experiment=live*', (route) =>
    route.fulfill({ status: 429, json: { detail: 'Too many jobs.' } }),
  );
  await page.locator('#try').getByRole('button', { name: 'long poll' }).click();
  await page.locator('#fault', { hasText: 'jobs was answered with 429: Too many jobs.' }).waitFor(TIMEOUT);
  await page.locator('#try button:not([aria-disabled]):text-is("long poll")').waitFor(TIMEOUT);
});

test('shows what the ledger keeps of a request: by mouse, by keyboard, and from the table', async () => {
  const page = await open();
  const Experiment = '03-short-polling / one client #a1b2c3';
  const { jobId } = await visit.lab.manual({ Experiment });
  for (const path of ['', '/events?min=0&like=secret', '?token=secret']) {
    await visit.lab.get(`/jobs/${jobId}${path}`, {
      Experiment,
      Accept: 'application/json',
      Authorization: 'Bearer secret',
    });
  }
  await count(page, 'short poll', 2);
  await count(page, 'consume', 1);
  const details = page.locator('#details');
  const fact = (name: string) =>
    details
      .locator('#facts div')
      .filter({ has: page.getByText(name, { exact: true }) })
      .locator('dd');
  await page.getByRole('button', { name: 'Pause' }).click(); // a bar that moves is hard to hit
  await bars(page, 'consume').click();
  await details.getByRole('heading', { name: 'GET /jobs/{id}/events' }).waitFor(TIMEOUT);
  const { requests } = await visit.lab.traffic(Experiment);
  const row = requests.find(({ technique }) => technique === 'consume')!;
  expect(await fact('status').innerText()).toBe('200 OK');
  expect(await fact('notebook').innerText()).toBe('03-short-polling');
  expect(await fact('experiment').innerText()).toBe('one client #a1b2c3');
  expect(await fact('bytes sent').innerText()).toBe(`${row.bytesOut} B`);
  expect(await fact('arrived').innerText()).toContain(row.arrivedAt.slice(19, 23)); // the milliseconds
  expect(await details.innerText()).not.toMatch(new RegExp(`secret|${jobId}`));

  // The keys go from bar to bar, and the details with them; Escape closes them, and gives the focus back.
  await page.keyboard.press('ArrowUp');
  await details.getByRole('heading', { name: 'GET /jobs/{id}', exact: true }).waitFor(TIMEOUT);
  const focused = () =>
    page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.id);
  expect(await focused()).toContain('short poll');
  await page.keyboard.press('Home');
  const [first] = await bars(page, 'short poll').all();
  expect(await first!.evaluate((bar) => bar === document.activeElement)).toBe(true);
  await page.keyboard.press('Escape');
  await details.waitFor({ ...TIMEOUT, state: 'hidden' });
  expect(await first!.evaluate((bar) => bar === document.activeElement)).toBe(true);
  await page.keyboard.press('ArrowRight');
  expect(await details.isVisible()).toBe(false); // until it is asked for
  await page.keyboard.press('Enter');
  await details.waitFor(TIMEOUT);
  expect(await lane(page, 'short poll').locator('.bar[tabindex="0"]').count()).toBe(1);
  await page.getByRole('button', { name: 'Close' }).click();
  await page.locator('#requests').getByRole('button', { name: 'POST /jobs', exact: true }).click();
  await details.getByRole('heading', { name: 'POST /jobs' }).waitFor(TIMEOUT);
  expect(visit.complaints).toEqual([]);
});

test('stands still while a mouse moves over the bars, so that one can be hit', async () => {
  const page = await open();
  await visit.lab.manual();
  await count(page, 'submit', 1);
  const held = await page.evaluate(async () => {
    const track = document.querySelector<HTMLElement>('.track:has(.bar)')!;
    const lanes = document.querySelector('#lanes')!;
    const frame = () => new Promise(requestAnimationFrame);
    const places: string[] = [];
    for (let n = 0; n < 5; n++) {
      lanes.dispatchEvent(new PointerEvent('pointermove', { pointerType: 'mouse' }));
      await frame();
      if (n > 0) places.push(track.style.transform); // the first frame may show what was before
    }
    lanes.dispatchEvent(new PointerEvent('pointerleave'));
    while (track.style.transform === places[0]) await frame(); // goes on, or the test is over its time
    return places;
  });
  expect(new Set(held).size).toBe(1);
});

test('is accessible: empty and full, light and dark, on a phone and at a zoom of 200 %', async () => {
  const page = await open();
  expect(await hardToUse(page)).toEqual([]);
  const { jobId } = await visit.lab.manual({ Experiment: '03-short-polling / one client #a1b2c3' });
  await visit.lab.get(`/jobs/${jobId}`);
  await visit.lab.finish(jobId, { error: { detail: 'no' } });
  await count(page, 'short poll', 1);
  await job(page, jobId).getByText('failed').waitFor(TIMEOUT);
  await page.locator('#requests button').first().click();
  expect(await hardToUse(page)).toEqual([]);
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

test('a hidden page gives its connections back, and takes up again when it is seen, though the clock was set meanwhile', async () => {
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
  await page.evaluate(() => {
    const { now } = Date;
    Date.now = () => now() + 3_600_000;
  });
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
