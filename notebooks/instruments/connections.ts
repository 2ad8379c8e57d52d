import { type Browser, type BrowserOptions, findBrowsers, launch, type RunningBrowser } from './browser.js';
import { newDisplay } from './display.js';
import type { SentRequest } from './experiment.js';
import { type Ledger, readLedger } from './ledger.js';
import { Listener, type Told } from './listener.js';
import { type OwnServer, type ServerFlags, startServer } from './own-server.js';
import { escaped } from './table.js';
import type { Technique } from './technique.js';

/** What is tried on the page of `GET /connections`. */
export interface Trial {
  /** How the jobs are followed. Default: event-stream. */
  technique?: Technique;
  /** How many jobs are followed, each by a request of its own. Default: 8. */
  streams?: number;
  /** How many tabs follow one job, instead. Default: 1, which is none. */
  tabs?: number;
  /** Over how many names of the host the requests are spread. Default: 1. */
  hosts?: number;
  cure?: 'none' | 'one-stream' | 'shared-worker' | 'leader' | 'when-visible';
  /** How long there is to look before each stream is closed, in milliseconds. Default: 1. */
  pace?: number;
  /** A server on another port: while all is open, the page tries other ways to its own server, and this one. */
  probe?: string;
}

/** A request as the page saw it. With several tabs a row is a tab, and its answer the first news that the tab had. */
export interface PageRow extends SentRequest {
  name: string;
  /** When the first event came; null until then, and where there are none. */
  firstEventAt: number | null;
}

/** How things stand on the page. */
interface Report {
  state: 'here' | 'settled' | 'done' | 'failed';
  userAgent: string;
  rows: PageRow[];
  /** How many of those that follow a job have had news of it. */
  heard: number;
  error?: string;
}

/** What became of a trial. */
export interface Tried {
  /** The browser, with its version. */
  browser: string;
  /** The page's own record, in the order the requests were sent. */
  rows: PageRow[];
  /** As things stood when nothing moved any more, before the first stream was closed. */
  settled: { rows: PageRow[]; heard: number; ledger: Ledger };
  /** What the server saw of all of it. */
  ledger: Ledger;
}

/** How long a step of the page may take, in milliseconds, and how long a reader's tab may take to say that it is there. */
const STEP_MS = 60_000;
const HERE_MS = 5_000;

export interface TrialOptions {
  /** `https` is HTTP/2, in browsers that speak it. Default: http. */
  scheme?: 'http' | 'https';
  /** Settings of the server. */
  flags?: ServerFlags;
  /** Something to do while the page waits, with all that it could open open. */
  meanwhile?: (own: OwnServer) => Promise<void>;
}

/** A browser that tries one thing after the other, each with a server of its own: on a port that its pool has never seen. */
export class Visitor {
  private running: RunningBrowser | null = null;
  /** The page waits to be told where to go next. */
  private waiting: Told<Report> | null = null;
  /** The next trial's server, which starts while this one's page is busy waiting. */
  private spare: Promise<OwnServer> | null = null;

  private constructor(
    readonly browser: Browser,
    private readonly options: BrowserOptions,
    private readonly listener: Listener<Report>,
  ) {}

  static async of(browser: Browser, options: BrowserOptions = {}): Promise<Visitor> {
    return new Visitor(browser, options, await Listener.open<Report>());
  }

  /** Tries something on a server of its own, which ends afterwards. */
  async try(trial: Trial, options: TrialOptions = {}): Promise<Tried> {
    const own = await (options.flags ? startServer(options.flags) : this.next());
    try {
      return await this.visit(own, trial, options);
    } finally {
      await own.kill();
    }
  }

  private async next(): Promise<OwnServer> {
    const next = this.spare ?? startServer();
    this.spare = null;
    const own = await next;
    this.spare = startServer();
    this.spare.catch(() => {}); // who needs it hears of it
    return own;
  }

  /** Tries something on a server that is there. */
  async visit(own: OwnServer, trial: Trial, { scheme = 'http', meanwhile }: TrialOptions = {}): Promise<Tried> {
    const server = scheme === 'https' ? own.httpsUrl : own.url;
    const name = nameOf(trial);
    const settings = settingsOf(trial, name);
    const page = pageUrl(server, settings, this.listener);
    try {
      // Firefox trusts a certificate at one port only, and is told so when it starts.
      if (scheme === 'https' && this.browser.family === 'Firefox') await this.end();
      // The page goes to no address that it is told: it knows the way to another port of this machine.
      const { protocol, port } = new URL(server);
      if (this.waiting)
        this.waiting.answer({ next: { ...settings, scheme: protocol.slice(0, -1), port: Number(port) } });
      else this.running = await launch(this.browser, page, { ...this.options, trust: own.httpsUrl });
      this.waiting = null;
      const here = await Promise.race([this.listener.next(STEP_MS), (this.running as RunningBrowser).failed]);
      if (!here) throw new Error(`${this.browser.name} did not show ${page} within ${STEP_MS / 1_000} s.`);
      const { tried, done } = await watch(this.listener, here, own, name, meanwhile);
      this.waiting = done;
      // Of Chromium's kin, each says that it is Chrome.
      return { ...tried, browser: tried.browser.replace(/^\S+/, this.browser.name) };
    } catch (error) {
      await this.end(); // the next one begins with a new browser
      throw error;
    }
  }

  private async end(): Promise<void> {
    await this.running?.close();
    this.running = null;
    this.waiting = null;
  }

  /** Ends the browser. */
  async close(): Promise<void> {
    await this.end();
    this.listener.close();
    await (await this.spare)?.kill();
  }
}

/**
 * A browser of this machine, not yet started; it says which. Null, with the remedy, where there is none of that family.
 *
 * @throws in continuous integration (`CI` is set), where no browser means that something is not tested.
 */
export async function openBrowser(
  options: BrowserOptions & { family?: Browser['family'] } = {},
): Promise<Visitor | null> {
  const { family, ...rest } = options;
  const found = findBrowsers();
  const browser = found.find((one) => family === undefined || one.family === family);
  if (browser) {
    console.log(`Browser: ${browser.name} (${browser.path}), without a window`);
    return Visitor.of(browser, rest);
  }
  const missing = `No ${family ?? 'browser'} was found. ${REMEDY}`;
  if (found.length === 0 && process.env.CI) throw new Error(missing);
  console.log(missing);
  return null;
}

const REMEDY =
  'Install Chromium, Chrome, Edge or Firefox (Debian and Ubuntu: "sudo apt install chromium firefox-esr"), or name one with ' +
  'CHROME_PATH or FIREFOX_PATH; then restart the kernel. Until then, only what Node sees is shown.';

/**
 * Tries something in the tab that shows this notebook: as a frame in the cell's output, which is taken away afterwards, so that
 * it is not saved with the notebook. Null when nobody looks: the page does not say within seconds that it is there. Null also
 * behind a JupyterHub; the output says why.
 */
export async function inYourTab(trial: Trial): Promise<Tried | null> {
  // JupyterHub sets this for each Jupyter that it starts. Binder is one, too.
  if (process.env.JUPYTERHUB_SERVICE_PREFIX) {
    says(
      newDisplay(),
      'Not behind a JupyterHub: there your tab reaches all servers at one host, the Hub, and six open streams would freeze this notebook.',
    );
    return null;
  }
  const [own, listener, display] = [await startServer(), await Listener.open<Report>(), newDisplay()];
  const name = nameOf(trial);
  const page = pageUrl(own.url, settingsOf(trial, name), listener);
  try {
    const frame = `<iframe src="${escaped(page)}" title="Six connections" style="width:100%;height:520px;border:1px solid #bbb"></iframe>`;
    display.show({ 'text/html': frame, 'text/plain': 'A page, for whoever looks at this notebook in a browser.' });
    const here = await listener.next(HERE_MS);
    if (!here) {
      says(display, 'No browser has shown this page. (In JupyterLab, run this cell again.)');
      return null;
    }
    const { tried, done } = await watch(listener, here, own, name);
    done.answer({});
    says(display, `Your own tab has reported: ${tried.browser}.`);
    return tried;
  } finally {
    listener.close();
    await own.kill();
  }
}

const says = (display: { show(bundle: object): void }, text: string) =>
  display.show({ 'text/html': `<p>${text}</p>`, 'text/plain': text });

/** Follows a page's reports to the end. The last one is for the caller to answer. */
async function watch(
  listener: Listener<Report>,
  here: Told<Report>,
  own: OwnServer,
  name: string,
  meanwhile: TrialOptions['meanwhile'] = async () => {},
): Promise<{ tried: Tried; done: Told<Report> }> {
  here.answer({});
  const settled = await reported(listener, 'settled');
  const { rows, heard, userAgent } = settled.message;
  const stood = { rows, heard, ledger: await readLedger(name, own.url) };
  await meanwhile(own);
  settled.answer({});
  const done = await reported(listener, 'done');
  const ledger = await readLedger(name, own.url);
  return { tried: { browser: browserOf(userAgent), rows: done.message.rows, settled: stood, ledger }, done };
}

async function reported(listener: Listener<Report>, state: Report['state']): Promise<Told<Report>> {
  const told = await listener.next(STEP_MS);
  if (!told) throw new Error(`The page has not come to "${state}" within ${STEP_MS / 1_000} s.`);
  if (told.message.state === state) return told;
  told.answer({});
  throw new Error(
    `Expected the page to be "${state}", got "${told.message.state}": ${told.message.error ?? 'no reason'}`,
  );
}

let trials = 0;
/** A name for the ledger. */
const nameOf = ({ technique, cure, tabs = 1 }: Trial) =>
  `${cure ?? technique ?? 'event-stream'}${tabs > 1 ? `, ${tabs} tabs` : ''} #${process.pid}-${++trials}`;

/** A trial in the words of the page: numbers and known words, and of a server to probe the port on this machine. */
function settingsOf({ probe, ...trial }: Trial, experiment: string): Record<string, string | number> {
  return { streams: 8, pace: 1, experiment, ...trial, ...(probe ? { probe: Number(new URL(probe).port) } : {}) };
}

function pageUrl(server: string, settings: Record<string, string | number>, listener: Listener<Report>): string {
  const query = new URLSearchParams(Object.entries(settings) as [string, string][]);
  return `${server}/connections?${query}${listener.fragment}`;
}

/** "Chromium 156" or "Firefox 153": a browser's own string names it last, or the browser whose kin it is. */
function browserOf(userAgent: string): string {
  const [, name = 'a browser', version = ''] =
    /(Edg|Firefox)\/(\d+)/.exec(userAgent) ??
    /(?:Headless)?(Chrome)\/(\d+)/.exec(userAgent) ??
    /(Safari)\/(\d+)/.exec(userAgent) ??
    [];
  return `${name.replace('Edg', 'Edge')} ${version}`.trim();
}
