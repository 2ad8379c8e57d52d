import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson } from '../shared/files.mjs';
import { type LaunchedServer, launchServer, serverCommand } from '../shared/launch-server.js';
import type { Paths } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';

/**
 * The URL of the server that already runs in this checkout (`npm run server`); null when none does. The server
 * proves by the answer to a challenge that it knows the token in the state file, so that neither a stale file nor another
 * server is taken for it. Its access token is not sent for that: who listens there is not known before.
 */
export async function runningServer(paths: Paths): Promise<string | null> {
  try {
    const { url, token } = readJson(paths.state);
    const challenge = randomBytes(16).toString('hex');
    const response = await fetch(`${url}/healthz?challenge=${challenge}`, { signal: AbortSignal.timeout(2_000) });
    const { proof } = (await response.json()) as { proof?: string };
    return proof === createHmac('sha256', token).update(challenge).digest('hex') ? url : null;
  } catch {
    return null;
  }
}

/** A server of the course, and the access token that it wants, if any. */
export interface CourseServer {
  url: string;
  accessToken?: string | undefined;
}

/**
 * The server that the environment names, with its access token, such as a teacher's; null unless both variables are set.
 * `POLLING_LAB_URL` without a token is ignored, and `say` tells of it: such a server would be on this machine, and is found or
 * started.
 */
export async function namedServer(env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<CourseServer | null> {
  const { POLLING_LAB_ACCESS_TOKEN: accessToken } = env;
  const url = env.POLLING_LAB_URL?.replace(/\/+$/, '');
  if (!url) return null;
  if (!accessToken) {
    say('POLLING_LAB_URL is not used, because POLLING_LAB_ACCESS_TOKEN is not set: the server of this folder is.');
    return null;
  }
  const headers = { Authorization: `Bearer ${accessToken}` };
  const fail = (what: string): never => {
    throw new Problem(
      `${what} Ask the person who started that server, or unset POLLING_LAB_URL to start one of your own.`,
    );
  };
  if (!URL.canParse(url)) return fail(`POLLING_LAB_URL expects a URL, such as http://192.0.2.1:4321, got "${url}".`);
  try {
    const asked = await fetch(`${url}/healthz`, { headers, signal: AbortSignal.timeout(5_000) });
    const isOurs = asked.headers.get('www-authenticate')?.includes('realm="Polling Lab"');
    if (asked.status === 401 && isOurs)
      fail(`The server at ${url} does not take the token in POLLING_LAB_ACCESS_TOKEN.`);
    if (asked.ok && ((await asked.json()) as { tokenHash?: string }).tokenHash) return { url, accessToken };
  } catch (error) {
    if (error instanceof Problem) throw error;
  }
  return fail(`POLLING_LAB_URL is ${url}, and no server of this course answers there.`);
}

/** The access token in the state file of this checkout's server. */
export const accessTokenOf = (paths: Paths): string | undefined => readJson(paths.state)?.accessToken;

/**
 * Launches the course's server, the one that notebooks find by the state file. The user's environment may steer it
 * (`MAX_JOBS=5 npm start`), but for what is given here.
 */
export function launchCourseServer(paths: Paths, flags: string[]): LaunchedServer {
  const command = serverCommand(paths.root, ['--state', paths.state, ...flags], { fromEnvironment: true });
  return launchServer(command, { cwd: paths.root, log: paths.serverLog });
}

/** A server that has run for this long is started again after the shortest pause, in milliseconds. */
const SOUND_MS = 60_000;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** The course's server, whichever process it is by now. */
export interface KeptServer {
  /** Resolves with the first one's URL, which its successors keep. Rejects with a `Problem` if it could not start. */
  ready: Promise<string>;
  /** Stops it for good. Resolves when it has ended. */
  stop(): Promise<void>;
}

/**
 * Starts the course's server, and starts it again whenever it ends by itself: on its ports and its data, so that a client
 * that comes back finds its job and goes on from its cursor. A server that keeps ending is started again after longer
 * and longer pauses; one that cannot be started again is given up. `say` tells of each.
 *
 * @param port - the port to listen on; undefined for the default, or the next free one.
 */
export function keepCourseServer(paths: Paths, port: number | undefined, say: (line: string) => void): KeptServer {
  const stopping = new AbortController();
  let server = launchCourseServer(paths, port === undefined ? [] : ['--port', String(port)]);
  const { ready } = server;
  const keep = async (url: string): Promise<void> => {
    const { httpsUrl } = readJson(paths.state) as { httpsUrl: string };
    const flags = ['--port', new URL(url).port, '--https-port', new URL(httpsUrl).port];
    for (let pauseMs = SHORTEST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const began = performance.now();
      const { code, signal } = await server.ended;
      if (stopping.signal.aborted) return;
      if (performance.now() - began > SOUND_MS) pauseMs = SHORTEST_PAUSE_MS;
      const lastWords = server.said().replace(/^ready .*\n/m, ''); // that line is for programs
      say(`${lastWords}The server ended by itself (${signal ?? `exit code ${code}`}). Starting it again.`);
      await sleep(pauseMs, undefined, { signal: stopping.signal });
      server = launchCourseServer(paths, flags);
      await server.ready;
      say(`The server is back at ${url}, with its jobs.`);
    }
  };
  const giveUp = ({ message, details = '' }: Error & { details?: string }): void => {
    if (stopping.signal.aborted) return;
    say(`${details}${message} JupyterLab goes on without it. To try again, press Ctrl-C and run npm start.`);
  };
  void ready.then(
    (url) => keep(url).catch(giveUp),
    () => {}, // told to the caller
  );
  return {
    ready,
    stop: () => {
      stopping.abort();
      return server.stop();
    },
  };
}
