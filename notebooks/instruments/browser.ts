import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateOf } from './certificate.js';
import { isAlive } from './own-server.js';

/** A browser of this machine. */
export interface Browser {
  name: 'Chromium' | 'Chrome' | 'Edge' | 'Firefox';
  /** Whose flags and whose network it has: Chrome and Edge are made of Chromium. */
  family: 'Chromium' | 'Firefox';
  path: string;
}

type Name = Browser['name'];

/** In order of preference: the names of the programs, and of the applications on macOS. */
const PROGRAMS: [name: Name, programs: string[], application: string][] = [
  ['Chromium', ['chromium', 'chromium-browser'], 'Chromium.app/Contents/MacOS/Chromium'],
  ['Chrome', ['google-chrome', 'google-chrome-stable', 'chrome'], 'Google Chrome.app/Contents/MacOS/Google Chrome'],
  ['Edge', ['microsoft-edge', 'microsoft-edge-stable'], 'Microsoft Edge.app/Contents/MacOS/Microsoft Edge'],
  ['Firefox', ['firefox', 'firefox-esr'], 'Firefox.app/Contents/MacOS/firefox'],
];

/** Names one that is somewhere else. */
const VARIABLES: Record<Browser['family'], string> = { Chromium: 'CHROME_PATH', Firefox: 'FIREFOX_PATH' };

const familyOf = (name: Name): Browser['family'] => (name === 'Firefox' ? 'Firefox' : 'Chromium');

/**
 * The browsers of this machine, one of each family at most: that which `CHROME_PATH` (Chromium, Chrome or Edge) or
 * `FIREFOX_PATH` names, else the first that is found.
 *
 * @throws when a variable is set, and there is no program where it points.
 */
export function findBrowsers(env: NodeJS.ProcessEnv = process.env, platform = process.platform): Browser[] {
  const folders = (env.PATH ?? '').split(':').filter(Boolean);
  const found = PROGRAMS.flatMap(([name, programs, application]) => {
    const paths = programs.flatMap((program) => folders.map((folder) => join(folder, program)));
    if (platform === 'darwin') paths.push(join('/Applications', application));
    const path = paths.find(isExecutable);
    return path ? [{ name, family: familyOf(name), path }] : [];
  });
  return (['Chromium', 'Firefox'] as const).flatMap((family) => {
    const variable = VARIABLES[family];
    const path = env[variable];
    if (!path) return found.find((browser) => browser.family === family) ?? [];
    if (!isExecutable(path)) throw new Error(`${variable} is ${path}, and there is no program. Unset it, or mend it.`);
    return { name: nameOf(path) ?? family, family, path };
  });
}

/** Chrome, where the path says so: all that is known of a program that somebody named. */
function nameOf(path: string): Name | undefined {
  return (['Chrome', 'Edge'] as const).find((name) => path.toLowerCase().includes(name.toLowerCase()));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A browser that runs, without a window. */
export interface RunningBrowser {
  /** Ends it, and removes its profile. Resolves when both are gone. */
  close(): Promise<void>;
  /** Rejects, with what it said, when it has ended by itself; never resolves. */
  failed: Promise<never>;
}

export interface BrowserOptions {
  /** Opens a private window. Default: false. */
  private?: boolean;
  /** Speaks HTTP/2 where a server offers it. Default: true. */
  http2?: boolean;
  /** The server whose own certificate is trusted: `https://127.0.0.1:4322`. Default: none. */
  trust?: string | undefined;
}

/**
 * Opens a page in a browser without a window: in a fresh profile, which is removed afterwards, and as a group of processes
 * that ends with this kernel, also when that is killed (`browser-keeper.mjs`).
 */
export async function launch(browser: Browser, url: string, options: BrowserOptions = {}): Promise<RunningBrowser> {
  sweep();
  const folder = mkdtempSync(join(temporary(), `${FOLDERS}${process.pid}-`));
  const args = await (browser.family === 'Firefox' ? firefox : chromium)(folder, url, options);
  const command = [join(__dirname, 'browser-keeper.mjs'), folder, browser.path, ...args];
  const { NODE_OPTIONS, ...env } = process.env;
  const keeper = spawn(process.execPath, command, { env, stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  keeper.stderr.on('data', (text) => {
    said = (said + text).slice(-1_000);
  });
  keeper.stdin.on('error', () => {}); // it has ended: 'close' tells
  // The kernel may end while the browser runs: none of these handles keeps it alive.
  for (const handle of [keeper, keeper.stdin, keeper.stderr]) (handle as unknown as { unref(): void }).unref();
  const ended = once(keeper, 'close'); // and all that it said is read
  const failed = ended.then(() => {
    throw new Error(`${browser.name} (${browser.path}) has ended. It said: ${said.trim() || 'nothing'}`);
  });
  failed.catch(() => {}); // who waits for it hears of it
  const close = async () => {
    keeper.stdin.end();
    await ended;
  };
  return { close, failed };
}

const FOLDERS = 'polling-lab-browser-';
/** Chromium makes a socket in there, whose path may have 104 bytes on macOS; of its own, it takes 75 with the folder's name. */
const temporary = () => (tmpdir().length < 25 ? tmpdir() : '/tmp');

/** Removes the profiles of kernels that were killed together with their keepers. */
function sweep(): void {
  for (const name of readdirSync(temporary())) {
    if (!name.startsWith(FOLDERS) || isAlive(Number.parseInt(name.slice(FOLDERS.length), 10))) continue;
    rmSync(join(temporary(), name), { recursive: true, force: true });
  }
}

async function chromium(folder: string, url: string, options: BrowserOptions): Promise<string[]> {
  const trusted = options.trust && (await certificateOf(options.trust)).spkiHash;
  return [
    '--headless=new',
    `--user-data-dir=${join(folder, 'profile')}`,
    '--no-first-run',
    '--disable-popup-blocking', // the page opens tabs
    // Nothing of its own on the network, nor in the desktop's keyring.
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'],
    ...['--disable-breakpad', '--password-store=basic', '--use-mock-keychain'],
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), // as root it does not start with one
    ...(options.private ? ['--incognito'] : []),
    ...(options.http2 === false ? ['--disable-http2'] : []),
    ...(trusted ? [`--ignore-certificate-errors-spki-list=${trusted}`] : []),
    url,
  ];
}

async function firefox(folder: string, url: string, options: BrowserOptions): Promise<string[]> {
  const preferences = {
    'dom.disable_open_during_load': false, // the page opens tabs
    'network.http.http2.enabled': options.http2 !== false,
    // Nothing of its own on the network, nor on the screen.
    'app.update.enabled': false,
    'browser.aboutwelcome.enabled': false,
    'browser.safebrowsing.downloads.remote.enabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'toolkit.telemetry.enabled': false,
  };
  const lines = Object.entries(preferences).map(([name, value]) => `user_pref("${name}", ${value});\n`);
  writeFileSync(join(folder, 'user.js'), lines.join(''));
  if (options.trust) {
    const { port } = new URL(options.trust);
    const { fingerprint256 } = new X509Certificate((await certificateOf(options.trust)).pem);
    // As nsCertOverrideService keeps them: the host, the hash's algorithm (SHA-256), the hash.
    const override = (host: string) => `${host}:${port}:\tOID.2.16.840.1.101.3.4.2.1\t${fingerprint256}\t\n`;
    writeFileSync(join(folder, 'cert_override.txt'), ['127.0.0.1', 'localhost'].map(override).join(''));
  }
  return [
    '--headless',
    '--no-remote',
    ...['--profile', folder],
    ...(options.private ? ['--private-window', url] : [url]),
  ];
}
