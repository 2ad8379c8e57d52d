// Records a page in Chromium, as its developer tools export it: `tsx scripts/examine/recording/record-dashboard.ts FILE.har`.
//
// The page is a dashboard that makes what it asks for expensive: it polls a job every 250 ms without `If-None-Match`, opens six event
// streams over HTTP/1.1, asks for a list while these are open, and opens one of the streams a second time without its cursor. The server
// is this course's own. The file is written by the code behind "Export HAR" of the browser's own developer tools, which Chromium
// serves beside its debugging port.
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { start } from '../../shared/child.mjs';
import { runCommand } from '../../shared/command.mjs';
import { writeWhole } from '../../shared/files.mjs';
import { findBrowser } from '../../shared/find-program.mjs';
import { launchServer, serverCommand } from '../../shared/launch-server.js';
import { checkout } from '../../shared/paths.mjs';
import { Problem } from '../../shared/problem.mjs';
import { temporaryFolder } from '../../shared/temporary-folder.mjs';

/** How the page behaves, in milliseconds. */
const PACE = { pollMs: 250, progressMs: 1_000, pollsOnlyMs: 4_000, streamsMs: 3_000, againMs: 500 };
/** How long the browser may take to start, in milliseconds. */
const START_MS = 30_000;

/** What is used of the developer tools' modules, which have no types. */
interface DevTools {
  NetworkLog: { NetworkLog: { instance(): { requests(): unknown[] } } };
  Writer: { Writer: { write(to: object, requests: unknown[], options: object, progress: object): Promise<void> } };
}

await runCommand(async (signal) => {
  const [file] = process.argv.slice(2);
  const browser = findBrowser();
  if (!file) throw new Problem('Expected the file to write as the argument, got none.');
  if (!browser) throw new Problem('No Chromium or Chrome was found. Install one, or name one with CHROME_PATH.');
  const { path: folder, remove } = temporaryFolder('record-dashboard-');
  const server = launchServer(serverCommand(checkout, ['--data', join(folder, 'data')]), { cwd: checkout, signal });
  const flags = ['--headless=new', '--remote-debugging-port=0', '--remote-allow-origins=*', '--no-first-run'];
  if (process.getuid?.() === 0) flags.push('--no-sandbox');
  const child = start(browser, [...flags, `--user-data-dir=${join(folder, 'profile')}`, 'about:blank'], { signal });
  try {
    const url = await server.ready;
    const har = await record(await debuggingUrl(child), url);
    writeWhole(resolve(process.env.INIT_CWD ?? process.cwd(), file), `${har}\n`);
  } finally {
    await Promise.all([child.stop(), server.stop()]);
    remove();
  }
});

/** The address that Chromium prints when it listens for a debugger. */
async function debuggingUrl(child: ReturnType<typeof start>): Promise<string> {
  const until = performance.now() + START_MS;
  for (;;) {
    const [, url] = /listening on (ws:\S+)/.exec(child.said()) ?? [];
    if (url) return url;
    if (performance.now() > until)
      throw new Problem('The browser did not start.', { exitCode: 1, details: child.said() });
    await sleep(50);
  }
}

/** Runs the dashboard under the developer tools, and returns what these export. */
async function record(debugging: string, url: string): Promise<string> {
  const tools = `http://${new URL(debugging).host}`;
  const context = (await chromium.connectOverCDP(debugging)).contexts()[0]!;
  const page = context.pages()[0]!;
  await page.goto(`${url}/healthz`);
  const targets = (await (await fetch(`${tools}/json`)).json()) as { url: string; webSocketDebuggerUrl: string }[];
  const target = targets.find((each) => each.url.startsWith(url))!.webSocketDebuggerUrl.replace('ws://', '');
  const devTools = await context.newPage();
  await devTools.goto(`${tools}/devtools/devtools_app.html?ws=${target}`);
  // The tools are ready when they have noted a request.
  while ((await devTools.evaluate(noted)) === 0) {
    await page.evaluate(async () => void (await (await fetch('/jobs?limit=1')).text()));
    await sleep(200);
  }
  const jobs = await Promise.all(Array.from({ length: 6 }, () => submit(url)));
  const progress = moveOn(url, jobs);
  try {
    // esbuild, which compiles this file, calls a function that browsers do not have.
    for (const each of [page, devTools]) await each.evaluate('globalThis.__name = (made) => made');
    await page.evaluate(dashboard, { ...PACE, jobs });
  } finally {
    await progress.stop();
  }
  return devTools.evaluate(exported);
}

async function submit(url: string): Promise<string> {
  const body = JSON.stringify({ kind: 'manual' });
  const response = await fetch(`${url}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return ((await response.json()) as { jobId: string }).jobId;
}

/** Moves every job on by one percent, again and again. */
function moveOn(url: string, jobs: readonly string[]) {
  let percent = 0;
  let running = true;
  const moving = (async () => {
    while (running) {
      await sleep(PACE.progressMs);
      percent += 1;
      const body = JSON.stringify({ progress: percent / 100 });
      const headers = { 'content-type': 'application/json' };
      for (const id of jobs) await fetch(`${url}/jobs/${id}/progress`, { method: 'POST', headers, body });
    }
  })();
  return {
    stop() {
      running = false;
      return moving;
    },
  };
}

/** The page's own code: it runs in the browser. */
async function dashboard({ jobs, ...pace }: typeof PACE & { jobs: readonly string[] }): Promise<void> {
  const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));
  let polling = true;
  const polls = (async () => {
    while (polling) {
      await (await fetch(`/jobs/${jobs[0]}`, { cache: 'no-store' })).text();
      await pause(pace.pollMs);
    }
  })();
  await pause(pace.pollsOnlyMs);
  const events = (id: string | undefined) => new EventSource(`/jobs/${id}/events`);
  const streams = jobs.map(events);
  await Promise.all(streams.map((stream) => new Promise((opened) => stream.addEventListener('open', opened))));
  const click = fetch('/jobs?limit=5', { cache: 'no-store' }).then((answer) => answer.text());
  await pause(pace.streamsMs);
  for (const stream of streams) stream.close();
  await click;
  const again = events(jobs[1]);
  await pause(pace.againMs);
  again.close();
  polling = false;
  await polls;
}

/** How many requests the developer tools have noted: this runs in their page. */
async function noted(): Promise<number> {
  const { NetworkLog } = (await import('/devtools/models/logs/logs.js' as string)) as DevTools;
  return NetworkLog.NetworkLog.instance().requests().length;
}

/** What "Export HAR" writes, without cookies and tokens: this runs in the developer tools' page. */
async function exported(): Promise<string> {
  const { NetworkLog } = (await import('/devtools/models/logs/logs.js' as string)) as DevTools;
  const { Writer } = (await import('/devtools/models/har/har.js' as string)) as DevTools;
  const pieces: string[] = [];
  const progress = { canceled: false, worked: 0, totalWork: 0, title: '', done: false };
  const to = { write: async (text: string) => void pieces.push(text) };
  await Writer.Writer.write(to, NetworkLog.NetworkLog.instance().requests(), { sanitize: true }, progress);
  return pieces.join('');
}
