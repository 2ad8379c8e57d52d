import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { authorize, withdraw } from './access.js';
import { warmUp } from './draw.js';
import { CHECKOUT, startServer } from './own-server.js';
import { offerRemedy } from './remedy.js';

/** A server that answers. */
export interface Server {
  /** Where it is, without a slash at the end: `http://127.0.0.1:4321`. */
  readonly url: string;
  /** The same server over TLS, with HTTP/2: `https://127.0.0.1:4322`. */
  readonly httpsUrl: string;
  /** Whose it is: named by POLLING_LAB_URL, this checkout's running one, or this notebook's own. */
  readonly origin: 'environment' | 'checkout' | 'own';
}

interface Health {
  status: string;
  /** Missing from the answer to a request without the access token that the server wants. */
  httpsUrl: string;
}

const WHOSE: Record<Server['origin'], string> = {
  environment: 'from the environment variable POLLING_LAB_URL, which `npm start` sets',
  checkout: 'the one that runs in this checkout',
  own: "this notebook's own; it ends with the kernel",
};

/** What brings a server back that is gone. */
const REMEDY: Record<Server['origin'], string> = {
  environment:
    '`npm start` starts its server again by itself within seconds: run the cell again. If nothing answers then, start it ' +
    'with `npm start`, or `npm run server` for the server alone. (If somebody else runs it, ask that person.)',
  checkout:
    '`npm start` starts its server again by itself within seconds: run the cell again. If nothing answers then, start it ' +
    'with `npm run server`, and run the first cell again.',
  own: "This notebook started it: run the first cell again, which starts another, and then the cells that use the server's URL.",
};

let connected: Server | undefined;

/**
 * Finds the course's server, or starts one, and says which.
 *
 * 1. `POLLING_LAB_URL`, where it is set; it is an error if no server answers there. A server that other machines reach, as a
 *    teacher's, wants its access token: `POLLING_LAB_ACCESS_TOKEN`.
 * 2. The server that runs in this checkout (`npm start`, `npm run server`), known by `.polling-lab/state.json`.
 * 3. A server of this notebook's own, on a free port, that ends when the kernel does.
 */
export async function connect(): Promise<Server> {
  // Vega's first chart takes ten times as long as the next: not while somebody's requests are timed.
  const warm = warmUp();
  if (connected?.origin === 'checkout')
    connected = undefined; // it has to prove again that it is the one
  else if (connected && !(await healthOf(connected.url))) connected = undefined;
  connected ??= (await fromEnvironment(process.env)) ?? (await fromCheckout()) ?? (await fromHere());
  offerRemedy([connected.url, connected.httpsUrl], REMEDY[connected.origin]);
  await warm;
  console.log(`Server: ${connected.url} (${WHOSE[connected.origin]})`);
  return connected;
}

/** The server that {@link connect} found. */
export function server(): Server {
  if (!connected) throw new Error('No server yet: run the cell with connect() first.');
  return connected;
}

/** The server that `POLLING_LAB_URL` names, null when it names none. Throws when none answers there. */
export async function fromEnvironment(env: NodeJS.ProcessEnv): Promise<Server | null> {
  if (!env.POLLING_LAB_URL) return null;
  const url = env.POLLING_LAB_URL.replace(/\/+$/, '');
  const token = env.POLLING_LAB_ACCESS_TOKEN;
  if (token && URL.canParse(url)) authorize([url], token);
  const health = await healthOf(url);
  if (health?.httpsUrl) {
    if (token) authorize([health.httpsUrl], token);
    return { url, httpsUrl: health.httpsUrl, origin: 'environment' };
  }
  if (token && URL.canParse(url)) withdraw([url]);
  if (health) {
    const remedy = 'Ask the person who started it for the token, set the variable, and restart the kernel.';
    throw new Error(
      token
        ? `The server at ${url} (POLLING_LAB_URL) does not take the access token in POLLING_LAB_ACCESS_TOKEN. ${remedy}`
        : `The server at ${url} (POLLING_LAB_URL) wants an access token, and POLLING_LAB_ACCESS_TOKEN is not set. ${remedy}`,
    );
  }
  throw new Error(
    `POLLING_LAB_URL is ${url}, and no server of this course answers there. ` +
      'Start one with "npm run server", or unset POLLING_LAB_URL and restart the kernel.',
  );
}

/**
 * The server of the state file, null when there is no such file or the server it tells of is gone. Another program may have
 * its port by then, so what listens there gets the access token only after it has proved to be that server.
 */
export async function fromCheckout(stateFile = join(CHECKOUT, '.polling-lab', 'state.json')): Promise<Server | null> {
  try {
    const { url, httpsUrl, token, accessToken } = JSON.parse(await readFile(stateFile, 'utf8')) as {
      url: string;
      httpsUrl: string;
      token: string;
      accessToken?: string;
    };
    if (accessToken) withdraw([url, httpsUrl]);
    if (!(await knows(url, token))) return null;
    if (accessToken) authorize([url, httpsUrl], accessToken);
    return { url, httpsUrl, origin: 'checkout' };
  } catch {
    return null;
  }
}

/** Whether a server knows the token of a state file: its answer to a challenge proves it, without either side telling the token. */
async function knows(url: string, token: string): Promise<boolean> {
  const challenge = randomBytes(16).toString('hex');
  const response = await fetch(`${url}/healthz?challenge=${challenge}`, { signal: AbortSignal.timeout(5_000) });
  const { proof } = (await response.json()) as { proof?: string };
  return proof === createHmac('sha256', token).update(challenge).digest('hex');
}

async function fromHere(): Promise<Server> {
  const { url, httpsUrl } = await startServer();
  return { url, httpsUrl, origin: 'own' };
}

async function healthOf(url: string): Promise<Health | null> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) });
    // A server of the course that takes another token: it names itself (RFC 6750, section 3).
    if (response.status === 401 && response.headers.get('www-authenticate')?.includes('realm="Polling Lab"'))
      return { status: 'ok', httpsUrl: '' };
    const health = (await response.json()) as Health;
    return response.ok && health.status === 'ok' ? health : null;
  } catch {
    return null;
  }
}
