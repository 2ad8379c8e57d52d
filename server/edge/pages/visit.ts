import { rm } from 'node:fs/promises';
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
