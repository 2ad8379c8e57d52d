import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { INVISIBLE } from '../../../scripts/shared/visible.mjs';
import { startServer } from '../../conformance/server.js';
import { TIMEOUT, withBrowser } from './visit.js';

// What a page of another site, and whoever may store a name or a job, can do to the server's own pages.

const visit = withBrowser();
const ORIGIN = 'http://evil.example'; // the browser takes it for another site; `visit.ts` leads it to this machine
const SECRET = '0123456789abcdef'.repeat(4);

const others: http.Server[] = [];
afterEach(() => {
  for (const other of others.splice(0)) other.close().closeAllConnections();
});

/** A server of somebody else. Returns its port. */
async function serve(answer: (req: IncomingMessage, res: ServerResponse) => void, secure = false): Promise<number> {
  const pem = secure ? readFileSync(new URL('../../../.polling-lab/certificate.pem', import.meta.url)) : '';
  const other = secure ? https.createServer({ key: pem, cert: pem }, answer) : http.createServer(answer);
  others.push(other);
  await once(other.listen(0, '127.0.0.1'), 'listening');
  return (other.address() as AddressInfo).port;
}

/** A page of somebody else. Returns its port. */
const servePage = (html: string, secure = false): Promise<number> =>
  serve((_, res) => void res.writeHead(200, { 'Content-Type': 'text/html' }).end(html), secure);

/** What the server was asked for, but the pages themselves. */
const askedFor = async () => {
  const { requests } = await visit.lab.traffic();
  return requests.map(({ method, route }) => `${method} ${route}`).filter((asked) => asked !== 'GET /connections');
};

describe('a link of another site', () => {
  test.each([
    ['its own address', (port: number) => `?streams=1&pace=1&report=${ORIGIN}:${port}/report`],
    ['a port of this machine', (port: number) => `?streams=1&pace=1#report=${port}&secret=${SECRET}`],
    ['a host instead of a port', (port: number) => `?streams=1#report=1@evil.example:${port}&secret=${SECRET}`],
    ['a tab of an experiment', () => '?tabs=2&tab=2&job=some'],
  ])('starts nothing, reports nothing, and is not followed anywhere: %s', async (_, link) => {
    const posts: string[] = [];
    const port = await serve((req, res) => {
      if (req.method === 'POST') posts.push(req.url as string);
      res.setHeader('Access-Control-Allow-Origin', '*');
      res.end(JSON.stringify({ next: 'javascript:document.title="taken"' }));
    });
    const from = await servePage(`<a href="${visit.server.url}/connections${link(port)}">Look!</a>`);
    const page = await visit.open(`${ORIGIN}:${from}/`);
    await page.getByText('Look!').click();
    await page.locator('#state', { hasText: /Press Run|tab 2 of an experiment/ }).waitFor(TIMEOUT);
    // All that the page might have begun by itself would be on the way before a request that is sent now is answered.
    await page.evaluate(() => fetch('/healthz', { cache: 'no-store' }));
    expect(await askedFor()).toEqual(['GET /healthz']);
    expect(posts).toEqual([]);
    expect(await page.title()).toBe('Polling Lab: six connections');
  });

  test('has no hold on the page that it opens in a window', async () => {
    const from = await servePage(`<button onclick="opened = window.open('${visit.server.url}/')">Open</button>`);
    const page = await visit.open(`${ORIGIN}:${from}/`);
    const opens = visit.context.waitForEvent('page');
    await page.getByText('Open').click();
    const opened = await opens;
    await opened.locator('#state[data-state=live]').waitFor(TIMEOUT);
    expect(await page.evaluate('opened.closed')).toBe(true); // as it says of a window that it has nothing to do with
    expect(await opened.evaluate('opener')).toBeNull();
  });
});

test('a page of another site holds no request', async () => {
  const page = await visit.open(`${ORIGIN}:${await servePage('<body>')}/`);
  const { jobId } = await visit.lab.manual();
  const inAdvance = page.waitForResponse(/wait=2/);
  await page.evaluate(async (url) => {
    const rules = JSON.stringify({ prefetch: [{ urls: [`${url}/result?wait=2`], eagerness: 'immediate' }] });
    document.head.append(Object.assign(document.createElement('script'), { type: 'speculationrules', text: rules }));
    const fetched = fetch(`${url}/events?wait=1`, { mode: 'no-cors' }).catch(() => {});
    const image = new Image();
    const loaded = new Promise((resolve) => {
      image.onerror = resolve;
    });
    image.src = `${url}?wait=60`;
    await Promise.all([fetched, loaded]);
  }, `${visit.server.url}/jobs/${jobId}`);
  await inAdvance;
  const { requests } = await visit.lab.traffic();
  expect(requests.filter(({ method }) => method === 'GET').map(({ status }) => status)).toEqual([403, 403, 403]);
});

describe('an answer to a report', () => {
  test.each([
    'javascript:document.title="taken"',
    `${ORIGIN}/`,
    { port: '1@evil.example' },
    { port: 65_536, scheme: 'http' },
    { port: 1.5 },
  ])('is no address to go to: %j', async (next) => {
    const failed: string[] = [];
    const port = await serve(async (req, res) => {
      res.setHeader('Access-Control-Allow-Origin', '*');
      const nonce = new URL(req.url as string, 'http://localhost').searchParams.get('nonce');
      if (nonce) return void res.end(createHmac('sha256', SECRET).update(nonce).digest('hex'));
      let told = '';
      for await (const chunk of req) told += chunk;
      const { state, error } = JSON.parse(told);
      if (error) failed.push(error);
      res.end(JSON.stringify(state === 'done' ? { next } : {}));
    });
    const page = await visit.open(`/connections?streams=1&pace=1#report=${port}&secret=${SECRET}`);
    await page.locator('#state', { hasText: 'It failed: port expects 1 to 65535' }).waitFor(TIMEOUT);
    expect(failed).toEqual([expect.stringContaining('port expects')]);
    expect(new URL(page.url()).origin).toBe(visit.server.url);
    expect(await page.title()).toBe('Polling Lab: six connections');
    expect(visit.complaints).toEqual([]);
  });
});

describe('a frame', () => {
  /** Whether the server's pages are shown in frames of a page, by path. */
  async function framed(page: Page): Promise<boolean[]> {
    return Promise.all(
      ['/', '/connections'].map(async (path) => {
        const src = visit.server.url + path;
        await page.evaluate((url) => {
          const frame = Object.assign(document.createElement('iframe'), { src: url, title: url });
          const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
          document.body.append(frame);
          return loaded;
        }, src);
        const inside = page.locator(`iframe[title="${src}"]`).contentFrame();
        return (await inside.locator('h1', { hasText: 'Polling Lab' }).count()) === 1;
      }),
    );
  }

  test('of another site stays empty', async () => {
    const page = await visit.open(`${ORIGIN}:${await servePage('<body>')}/`);
    expect(await framed(page)).toEqual([false, false]);
  });

  test('of another site opens no stream and holds no long poll', async () => {
    const page = await visit.open(`${ORIGIN}:${await servePage('<body>')}/`);
    const paths = ['/events', '/events?wait=60&min=1000', '/traffic'];
    const answers = paths.map(async (path) => {
      const answered = page.waitForResponse(visit.server.url + path);
      const src = JSON.stringify(visit.server.url + path);
      await page.evaluate(`document.body.append(Object.assign(document.createElement('iframe'), { src: ${src} }))`);
      return (await answered).status();
    });
    expect(await Promise.all(answers)).toEqual([403, 403, 403]);
  });

  test('in a page of this machine that is itself framed by another site stays empty', async () => {
    const inner = await servePage('<body>');
    const outer = await servePage(`<iframe src="http://127.0.0.1:${inner}/"></iframe>`);
    const page = await visit.open(`${ORIGIN}:${outer}/`);
    const between = page.frames().find((frame) => frame.url().includes(`:${inner}/`))!;
    await between.evaluate((src) => {
      const frame = Object.assign(document.createElement('iframe'), { src });
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
      document.body.append(frame);
      return loaded;
    }, visit.server.url);
    const [innermost] = between.childFrames();
    expect(await innermost!.locator('h1', { hasText: 'Polling Lab' }).count()).toBe(0);
  });

  test.each(['127.0.0.1', 'localhost', 'lab.localhost'])('of a page at http://%s, as JupyterLab is', async (host) => {
    const page = await visit.open(`http://${host}:${await servePage('<body>')}/`);
    expect(await framed(page)).toEqual([true, true]);
    expect(visit.complaints).toEqual([]);
  });

  test('of a page of this machine over HTTPS', async () => {
    const { httpsUrl } = (await visit.lab.get('/healthz')).json<{ httpsUrl: string }>();
    const context = await visit.browser!.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`${httpsUrl}/healthz`); // makes the certificate
    await page.goto(`https://127.0.0.1:${await servePage('<body>', true)}/`);
    expect(await framed(page)).toEqual([true, true]);
    await context.close();
  });

  test('of an origin that --allow-origin names', async () => {
    const port = await servePage('<body>');
    await visit.server.stop();
    const names = `${ORIGIN}:${port}, app://course.test`;
    visit.server = await startServer(['--allow-origin', names], { data: visit.data });
    const page = await visit.open(`${ORIGIN}:${port}/`);
    expect(await framed(page)).toEqual([true, true]);
    const policy = (await fetch(visit.server.url)).headers.get('content-security-policy');
    expect(policy!.split('; ').at(-1)).toMatch(new RegExp(`^frame-ancestors 'self' .* ${ORIGIN}:${port}$`));
  });
});

test.each([
  ['/', 'text/html'],
  ['/connections', 'text/html'],
  ['/connections/worker.js', 'text/javascript'],
])('%s comes with a policy that lets in no script of anybody else', async (path, type) => {
  const { headers } = await fetch(visit.server.url + path);
  expect(headers.get('content-type')).toContain(type);
  const policy = headers.get('content-security-policy')!;
  expect(policy).toMatch(/^default-src 'none'; /);
  expect(policy).not.toMatch(/unsafe|(script|default)-src[^;]*(\*|http)/);
  if (type === 'text/html')
    for (const needed of ["base-uri 'none'", "form-action 'none'", 'frame-ancestors', 'script-src'])
      expect(policy).toContain(needed);
  expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
  expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
});

test('a page runs no script that somebody brings into it', async () => {
  const page = await visit.open('/connections');
  await page.evaluate(() => {
    document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="document.title = \'taken\'">');
    document.body.append(Object.assign(document.createElement('script'), { text: 'document.title = "taken"' }));
  });
  await expect.poll(() => visit.complaints.filter((said) => said.startsWith('The policy refused')).length).toBe(3);
  expect(await page.title()).toBe('Polling Lab: six connections');
  const monitor = await visit.open('/');
  const markup = monitor.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<b>bold</b>'));
  await expect(markup).rejects.toThrow(/TrustedHTML/);
});

test('no answer is taken for another type than it bears', async () => {
  const { jobId } = await visit.lab.manual();
  for (const path of ['/', `/jobs/${jobId}`, '/jobs/nobody', '/nowhere', '/metrics', '/traffic', '/healthz'])
    expect((await fetch(visit.server.url + path)).headers.get('x-content-type-options'), path).toBe('nosniff');
  const stream = await visit.lab.stream(`/jobs/${jobId}/events`);
  expect(stream.headers['x-content-type-options']).toBe('nosniff');
  stream.close();
  const unexpected = await visit.lab.get('/', { Expect: 'nonsense' });
  expect([unexpected.status, unexpected.headers['x-content-type-options']]).toEqual([417, 'nosniff']);
});

const ESCAPES = 'a\u001b[2Jb\u0007c\u0085d\u202ee\u2066f\u200bg\u2028h\u{e0041}i\u3164j';
const MARKUP = '<img src=x onerror="document.title=\'taken\'"></script><script>document.title="taken"</script>';

describe('the live page', () => {
  const live = async () => {
    const page = await visit.open('/');
    await page.locator('#state[data-state=live]').waitFor(TIMEOUT);
    return page;
  };
  const shown = (page: Page, jobId: string) => page.locator(`#jobs li:has(a[href="jobs/${jobId}"])`);
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { toString: deep(levels - 1) });

  test('goes on, whatever a job has failed with, also when it is loaded again', async () => {
    const page = await live();
    const errors = [
      { detail: { toString: 1 } },
      { detail: { toString: 1, valueOf: 1, toJSON: 1, constructor: null } },
      { detail: null, title: { toString: null } },
      { detail: [ESCAPES, { [MARKUP]: MARKUP }] },
      { detail: ESCAPES },
      { detail: MARKUP },
      { detail: deep(50) },
      { detail: 'x'.repeat(60_000) },
      { detail: 17, title: false, status: {}, type: [] },
      JSON.parse('{"__proto__":{"detail":1},"detail":{"__proto__":1}}'),
    ];
    for (const [i, error] of errors.entries()) {
      const { jobId } = await visit.lab.manual();
      await visit.lab.progress(jobId, 0.5, { toString: 1, error: { toString: 1 }, state: {}, version: 'x' });
      await visit.lab.finish(jobId, { error });
      await shown(page, jobId).getByText('failed').waitFor(TIMEOUT);
      if (i % 3 === 2) await page.reload();
    }
    await page.reload();
    const { jobId } = await visit.lab.manual();
    await shown(page, jobId).getByText('running').waitFor(TIMEOUT);
    await expectHarmless(page);
    expect(await page.locator('#fault').innerText()).toBe('');
    expect(visit.complaints).toEqual([]);
  });

  test('shows names as text, and what cannot be seen in them as codes', async () => {
    const page = await live();
    const names = [
      MARKUP,
      ESCAPES,
      'x'.repeat(100),
      '\u202egnp.exe',
      '__proto__',
      'toString',
      '  ',
      'a / ',
      '🙂'.repeat(100),
    ];
    await page.selectOption('#experiment', 'all');
    for (const name of names) await visit.lab.get(`/jobs/nobody?experiment=${encodeURIComponent(name.slice(0, 100))}`);
    await page.locator('#requests tr', { hasText: 'a\\u{1b}[2Jb\\u{7}c\\u{85}d\\u{202e}e\\u{2066}f' }).waitFor(TIMEOUT);
    await page.locator('#requests tr', { hasText: '\\u{202e}gnp.exe' }).waitFor(TIMEOUT);
    await page.locator('#requests tr', { hasText: MARKUP.slice(0, 100) }).waitFor(TIMEOUT);
    const options = () => page.locator('#experiment option').allTextContents();
    await expect.poll(options, TIMEOUT).toEqual(expect.arrayContaining(['(blank)', 'a /']));
    expect((await options()).filter((text) => !text.trim())).toEqual([]);
    // A name is chosen by what it is, not by how it is shown.
    await page.selectOption('#experiment', `experiment:${ESCAPES}`);
    await expect.poll(() => page.locator('#requests tr').count(), TIMEOUT).toBe(1);
    await expectHarmless(page);
    expect(visit.complaints).toEqual([]);
  });

  test('says that something could not be shown, and shows the rest', async () => {
    const { jobId } = await visit.lab.manual();
    const { jobs } = (await visit.lab.get('/jobs')).json<{ jobs: object[] }>();
    const odd = [null, 1, 'x', [], {}, { jobId: {}, state: 'running' }, { jobId: 'a', state: { toString: 1 } }];
    const numbers = { progress: '0.5', version: '9', jobId: 'b"><b>', state: 'running', finishedAt: 'never', error: 1 };
    await visit.context.route('**/jobs?*', (route) => route.fulfill({ json: { jobs: [...odd, numbers, ...jobs] } }));
    const row = { id: 1, method: 'GET', route: '/', arrivedAt: new Date().toISOString(), technique: 'short-poll' };
    const rows = [
      ...[null, 1, 'x', [], {}, { ...row, arrivedAt: { toString: 1 } }],
      { ...row, id: {}, method: { toString: 1 }, technique: '__proto__', status: {}, events: '9', bytesOut: 'NaN' },
      { ...row, id: 2, route: '/shown', experiment: null, status: 200, answeredAt: 'x', endedAt: 7 },
    ];
    const body = `event: traffic\ndata: nonsense\n\nevent: traffic\ndata: ${JSON.stringify({ requests: rows })}\n\n`;
    await visit.context.route('**/traffic', (route) => route.fulfill({ contentType: 'text/event-stream', body }));
    const page = await visit.open('/');
    await page.locator('#fault', { hasText: 'Something could not be shown:' }).waitFor(TIMEOUT);
    await page.locator('#requests tr', { hasText: '/shown' }).waitFor(TIMEOUT);
    await shown(page, jobId).getByText('running').waitFor(TIMEOUT);
    expect(visit.complaints).toEqual([]);
  });

  test('takes ten thousand requests and a name of a million characters, and draws a bounded part of them', async () => {
    const long = `${'n'.repeat(500_000)} / ${'x'.repeat(500_000)}`;
    const times = [60_000, 0].map((ago) => {
      const at = new Date(Date.now() - ago).toISOString();
      return { arrivedAt: at, answeredAt: at, endedAt: at };
    });
    const rows = Array.from({ length: 10_001 }, (_, id) => ({
      ...{ id, method: 'GET', route: '/jobs/{id}', technique: 'short-poll', status: 200, ...times[id < 5_000 ? 0 : 1] },
      experiment: id === 10_000 ? long : `${id % 50} / ${id % 500}`,
    }));
    const body = `retry: 600000\n\nevent: traffic\ndata: ${JSON.stringify({ requests: rows })}\n\n`;
    await visit.context.route('**/traffic', (route) => route.fulfill({ contentType: 'text/event-stream', body }));
    const page = await visit.open('/');
    await page.selectOption('#span', '300');
    await page.selectOption('#experiment', 'all');
    await page.locator('#figures div', { hasText: '10000+' }).waitFor(TIMEOUT);
    expect(await page.locator('.lane .bar').count()).toBe(300);
    // Those without a bar are hatched: a minute of the five that are shown.
    const share = await page.locator('.track:has(.bar)').evaluate((track) => {
      return Number.parseFloat(getComputedStyle(track, '::before').width) / track.clientWidth;
    });
    expect(share).toBeCloseTo(0.2, 2);
    expect(await page.locator('#requests tr').count()).toBe(25);
    expect(await page.locator('#experiment option[value^=experiment]').count()).toBe(200);
    expect(
      await page
        .locator('body')
        .innerText()
        .then(({ length }) => length),
    ).toBeLessThan(100_000);
    await page.locator('#requests button').first().click();
    await page.locator('#details').waitFor(TIMEOUT);
    expect(await page.locator('#fault').innerText()).toBe('');
    expect(visit.complaints).toEqual([]);
  });

  test('draws again after a picture that failed', async () => {
    await visit.context.addInitScript(() => {
      const { replaceChildren } = Element.prototype;
      let failures = 3;
      Element.prototype.replaceChildren = function (...children) {
        if (this.id === 'experiment' && failures-- > 0) throw new Error('no picture');
        replaceChildren.apply(this, children);
      };
    });
    const page = await live();
    const { jobId } = await visit.lab.manual();
    await shown(page, jobId).getByText('running').waitFor(TIMEOUT);
    expect(await page.locator('#fault').innerText()).toBe('Something could not be shown: no picture');
  });

  async function expectHarmless(page: Page): Promise<void> {
    expect(await page.title()).toBe('Polling Lab: traffic');
    expect(await page.locator('main img, main script').count()).toBe(0);
    const titles = await page.evaluate(() => {
      const titled = [...document.querySelectorAll<HTMLElement>('[title]')].map(({ title }) => title);
      return [document.body.innerText, ...titled].join('').replace(/[\n\t]/g, '');
    });
    expect(titles.match(INVISIBLE)).toBeNull();
  }
});
