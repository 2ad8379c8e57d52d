import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { EventSource as NodeEventSource } from 'eventsource';
import nodeFetch from 'node-fetch';
import { type Browser, chromium } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { findBrowser } from '../../scripts/shared/find-program.mjs';
import { need } from '../../scripts/test/need.js';
import { Client, newExperiment } from './client.js';
import { certificateOf } from './http2.js';
import { findCurl, findPython } from './machine.js';
import { target, temporaryFolder } from './server.js';
import { openTap } from './tap.js';
import type { EventRecord, Job } from './types.js';
import { within } from './within.js';

/*
 * "Real clients read our streams." Each reads a manual job that moves while it reads, and must have seen what the
 * JSON of the same events says.
 */

const lab = target();
const FINAL = ['succeeded', 'failed', 'cancelled'];
const NAMES = ['queued', 'started', 'progress', ...FINAL];
const TEXT = 'ä€😀, two\nlines';

interface Seen {
  id: string;
  event: string;
  data: string;
}

/** Moves a job to its end while somebody reads. */
async function move(job: Job): Promise<void> {
  for (const progress of [0.25, 0.5, 0.75]) {
    await lab.progress(job.jobId, progress, { text: TEXT });
  }
  await lab.finish(job.jobId, { result: TEXT });
}

async function expectAll(job: Job, seen: Seen[]): Promise<void> {
  const { events } = await lab.consume(job.links.events);
  const told = (event: EventRecord) => ({ id: event.id, event: event.event, data: event.data });
  expect(seen.map(({ id, event, data }) => ({ id, event, data: JSON.parse(data) }))).toEqual(events.map(told));
  expect(events).toHaveLength(6);
}

/** Runs a program until it has printed a text, then ends it; resolves with its stdout. */
async function run(program: string, args: string[], until: string): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  try {
    await within(
      new Promise<void>((resolve, reject) => {
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          stdout += text;
          if (stdout.includes(until)) resolve();
        });
        child.once('error', reject);
        child.once('close', () => resolve());
      }),
      () => `${program} to print ${until}; it printed ${stdout} ${stderr}`,
    );
  } finally {
    child.kill('SIGKILL');
  }
  expect(stdout, stderr).toContain(until);
  return stdout;
}

describe('eventsource', () => {
  test('reads a job to its end', async () => {
    const job = await lab.manual();
    const seen: Seen[] = [];
    const source = new NodeEventSource(`${lab.base}${job.links.events}`);
    const end = new Promise<void>((resolve) => {
      for (const name of NAMES) {
        source.addEventListener(name, ({ lastEventId, data }) => {
          seen.push({ id: lastEventId, event: name, data });
          if (FINAL.includes(name)) resolve();
          if (seen.length === 2) void move(job);
        });
      }
    });
    await within(end, 'the final event');
    source.close();
    await expectAll(job, seen);
  });

  test('reconnects where it was when its connection breaks, and sees each event once; 204 then ends it', async () => {
    const tap = await openTap(lab.base);
    const job = await lab.manual();
    const seen: Seen[] = [];
    const steps = [0.3, 0.6];
    const source = new NodeEventSource(`${tap.url}${job.links.events}`);
    try {
      const end = new Promise<void>((resolve, reject) => {
        const onEvent = async (name: string, id: string, data: string) => {
          seen.push({ id, event: name, data });
          if (seen.length < 2) return;
          if (FINAL.includes(name)) {
            // Broken once more, now past the final event: the answer is 204, and the EventSource stops for good.
            source.addEventListener('error', () => source.readyState === 2 && resolve());
            tap.breakAll();
            return;
          }
          // The connection breaks after every event; the next one happens while nobody is connected.
          tap.breakAll();
          const next = steps.shift();
          if (next === undefined) await lab.finish(job.jobId);
          else await lab.progress(job.jobId, next);
        };
        for (const name of NAMES) {
          source.addEventListener(name, (event) => {
            onEvent(name, event.lastEventId, event.data).catch(reject);
          });
        }
      });
      await within(end, () => `the EventSource to stop; it saw ${JSON.stringify(seen)}`, 60_000);
    } finally {
      source.close();
      await tap.close();
    }
    const { events } = await lab.consume(job.links.events);
    expect(seen.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    expect(tap.connections.length).toBeGreaterThanOrEqual(4);
  });
});

test('node-fetch reads a stream as it comes', async () => {
  const job = await lab.manual();
  const response = await nodeFetch(`${lab.base}${job.links.events}`, {
    headers: { Accept: 'text/event-stream' },
  });
  const seen: Seen[] = [];
  let text = '';
  const body = response.body;
  if (!body) throw new Error('no body');
  body.setEncoding('utf8');
  reading: for await (const chunk of body) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
      );
      text = text.slice(end + 2);
      if (!fields.event) continue;
      seen.push({ id: fields.id ?? '', event: fields.event, data: fields.data ?? '' });
      if (seen.length === 2) await move(job);
      if (FINAL.includes(fields.event)) break reading;
    }
  }
  await expectAll(job, seen);
});

describe('curl', () => {
  test('-N reads a stream', async (context) => {
    const curl = findCurl();
    need(context, curl, 'curl');
    const job = await lab.manual();
    const reading = run(curl ?? '', ['-sN', `${lab.base}${job.links.events}`], 'event: succeeded');
    await move(job);
    const out = await reading;
    expect(out.match(/^event: .*$/gm)).toEqual(
      ['queued', 'started', 'progress', 'progress', 'progress', 'succeeded'].map((name) => `event: ${name}`),
    );
  });

  test('uploads a large file, with and without a length (Expect: 100-continue)', async (context) => {
    const curl = findCurl();
    need(context, curl, 'curl');
    const folder = await temporaryFolder();
    try {
      const file = join(folder, 'large.mp4');
      const clip = await readFile(new URL('./fixtures/clip.mp4', import.meta.url));
      const free = Buffer.alloc(3_000_000);
      free.writeUInt32BE(free.length, 0);
      free.write('free', 4, 'latin1');
      await writeFile(file, Buffer.concat([clip, free]));
      for (const extra of [[], ['-H', 'Transfer-Encoding: chunked']]) {
        const type = ['-H', 'Content-Type: video/mp4', ...extra];
        const waited = ['-s', '-X', 'POST', '-T', file, ...type, `${lab.base}/jobs?wait=60`];
        const out = await run(curl ?? '', waited, '}');
        expect(JSON.parse(out)).toMatchObject({ bytes: clip.length + free.length, width: 64 });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

test("Python's httpx-sse reads a stream", async (context) => {
  const python = findPython('httpx_sse');
  need(context, python, 'httpx-sse in .polling-lab/venv (npm start installs it)');
  const job = await lab.manual();
  const script = `
import json, sys, httpx
from httpx_sse import connect_sse
with httpx.Client(timeout=30, trust_env=False) as client:
    with connect_sse(client, "GET", sys.argv[1]) as source:
        for sse in source.iter_sse():
            if sse.event == "message" and not sse.data:
                continue  # httpx-sse makes an empty message of a retry: that stands alone; the standard does not
            print(json.dumps({"id": sse.id, "event": sse.event, "data": sse.data}), flush=True)
            if sse.event == "succeeded":
                print("done", flush=True)
                break
`;
  const reading = run(python ?? '', ['-c', script, `${lab.base}${job.links.events}`], 'done');
  await move(job);
  const lines = (await reading).trim().split('\n').slice(0, -1);
  await expectAll(
    job,
    lines.map((line) => JSON.parse(line) as Seen),
  );
});

describe('Chromium', () => {
  /** A page on an origin of its own, as a notebook's is: what it may read of our answers, CORS says. */
  async function onPage(use: (browser: Browser, page: string) => Promise<void>, args: string[] = []): Promise<void> {
    const server = http.createServer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>x</title>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const browser = await chromium.launch({
      executablePath: findBrowser() ?? '',
      args: [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
        '--disable-quic',
        ...args,
      ],
    });
    try {
      await use(browser, `http://localhost:${port}/`);
    } finally {
      await browser.close();
      server.closeAllConnections();
      server.close();
    }
  }

  test("an EventSource, and fetch with every header of ours, from another origin's page", async (context) => {
    need(context, findBrowser(), 'a Chromium (apt-get install chromium; or name one in CHROME_PATH)');
    await onPage(async (browser, url) => {
      const page = await browser.newPage();
      await page.goto(url);
      const job = await lab.manual();

      await page.evaluate(
        ({ url, names }) => {
          const seen: unknown[] = [];
          Object.assign(globalThis, { seen });
          const source = new EventSource(url);
          for (const name of names) {
            source.addEventListener(name, (event) => {
              const { lastEventId, data } = event as MessageEvent<string>;
              seen.push({ id: lastEventId, event: name, data });
              if (name === 'succeeded') source.close();
            });
          }
        },
        { url: `${lab.base}${job.links.events}`, names: NAMES },
      );
      await page.waitForFunction('seen.length === 2');
      await move(job);
      await page.waitForFunction('seen.length === 6');
      await expectAll(job, (await page.evaluate('seen')) as Seen[]);

      // Headers that need a preflight going out, and CORS's leave to be read coming back.
      const read = await page.evaluate(async (base) => {
        const submitted = await fetch(`${base}/jobs`, {
          method: 'POST',
          headers: {
            'Content-Type': 'application/json',
            'Idempotency-Key': crypto.randomUUID(),
            Experiment: 'from a page',
            Prefer: 'wait=0',
          },
          body: '{"kind":"manual"}',
        });
        const location = submitted.headers.get('Location') ?? '';
        const polled = await fetch(`${base}${location}`);
        const etag = polled.headers.get('ETag') ?? '';
        const again = await fetch(`${base}${location}`, {
          cache: 'no-store',
          headers: { 'If-None-Match': etag },
        });
        const cancelled = await fetch(`${base}${location}`, { method: 'DELETE' });
        const missing = await fetch(`${base}/jobs/nobody`);
        return {
          submitted: submitted.status,
          location,
          retryAfter: submitted.headers.get('Retry-After'),
          applied: submitted.headers.get('Preference-Applied'),
          etag,
          again: again.status,
          cancelled: cancelled.status,
          missing: missing.status,
          problem: await missing.json(),
        };
      }, lab.base);
      expect(read).toMatchObject({
        submitted: 202,
        location: expect.stringMatching(/^\/jobs\/./),
        retryAfter: expect.stringMatching(/^\d+$/),
        applied: 'wait=0',
        etag: expect.stringMatching(/^"\d+"$/),
        again: 304,
        cancelled: 200,
        missing: 404,
      });
    });
  });

  test.for(['https', 'http'] as const)('20 EventSources at once by %s', async (scheme, context) => {
    need(context, findBrowser(), 'a Chromium (apt-get install chromium; or name one in CHROME_PATH)');
    const { httpsUrl } = (await lab.get('/healthz')).json<{ httpsUrl: string }>();
    const base = scheme === 'https' ? httpsUrl : lab.base;
    const spki = (await certificateOf(httpsUrl)).publicKey.export({ type: 'spki', format: 'der' });
    const hash = createHash('sha256').update(spki).digest('base64');
    const experiment = newExperiment();
    const { jobId, links } = await lab.manual();
    const open = async () => (await lab.traffic(experiment)).requests;
    await onPage(
      async (browser, url) => {
        const page = await browser.newPage();
        await page.goto(url);
        await page.evaluate((url) => {
          const sources = Array.from({ length: 20 }, () => new EventSource(url));
          const opened = () => sources.filter(({ readyState }) => readyState === EventSource.OPEN).length;
          Object.assign(globalThis, { sources, opened });
        }, `${base}${links.events}?experiment=${experiment}`);
        if (scheme === 'https') {
          // One HTTP/2 connection carries them all, and whatever else is asked.
          await page.waitForFunction('opened() === 20');
          expect(await page.evaluate(async (base) => (await fetch(`${base}/healthz`)).status, base)).toBe(200);
          const rows = await open();
          expect(rows.map(({ protocol }) => protocol)).toEqual(Array(20).fill('HTTP/2'));
          expect(new Set(rows.map(({ connection }) => connection)).size).toBe(1);
        } else {
          // Six connections to a host, and no more: the rest wait in the browser, and the server does not hear of them.
          await page.waitForFunction('opened() === 6');
          const rows = await open();
          expect(rows.map(({ protocol }) => protocol)).toEqual(Array(6).fill('HTTP/1.1'));
          expect(new Set(rows.map(({ connection }) => connection)).size).toBe(6);
        }
        await lab.finish(jobId);
        await page.evaluate('sources.forEach((source) => source.close())');
      },
      [`--ignore-certificate-errors-spki-list=${hash}`],
    );
  });

  test("the server's own page loads without an error", async (context) => {
    need(context, findBrowser(), 'a Chromium (apt-get install chromium; or name one in CHROME_PATH)');
    await onPage(async (browser) => {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      const answer = await page.goto(`${lab.base}/`);
      expect(answer?.status()).toBe(200);
      expect(await page.title()).toMatch(/\S/);
      expect(errors).toEqual([]);
    });
  });
});

test('one client of each kind at once sees the same', async () => {
  const job = await lab.manual();
  const client = new Client(lab.base);
  const stream = await client.stream(job.links.events);
  const poll = client.get(job.links.result, { Prefer: 'wait=60' });
  const page = client.consume(`${job.links.events}?min=6&wait=60`);
  await move(job);
  const seen = await stream.toTheEnd();
  stream.close();
  expect(seen.map(({ id }) => id)).toEqual((await page).events.map(({ id }) => id));
  expect((await poll).json<unknown>()).toBe(TEXT);
});
