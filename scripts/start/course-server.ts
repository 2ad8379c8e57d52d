import { createHash } from 'node:crypto';
import { readJson } from '../shared/files.mjs';
import { type LaunchedServer, launchServer, serverCommand } from '../shared/launch-server.js';
import type { Paths } from '../shared/paths.mjs';

/**
 * The URL of the server that already runs in this checkout (`npm run server`); null when none does. The server
 * answers with a hash of the token in its state file, so that neither a stale file nor another server is taken for it.
 */
export async function runningServer(paths: Paths): Promise<string | null> {
  try {
    const { url, token } = readJson(paths.state);
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) });
    const { tokenHash } = (await response.json()) as { tokenHash: string };
    return tokenHash === createHash('sha256').update(token).digest('hex') ? url : null;
  } catch {
    return null;
  }
}

/**
 * Starts the course's server, the one that notebooks find by the state file. The user's environment may steer it
 * (`MAX_JOBS=5 npm start`), but for what is given here.
 */
export function launchCourseServer(paths: Paths, port: number | undefined): LaunchedServer {
  const asked = port === undefined ? [] : ['--port', String(port)];
  const command = serverCommand(paths.root, ['--state', paths.state, ...asked], { fromEnvironment: true });
  return launchServer(command, { cwd: paths.root, log: paths.serverLog });
}
