// @ts-check
import { start } from '../shared/child.mjs';
import { Problem } from '../shared/problem.mjs';

/** How long a package manager may take. */
const INSTALL_MS = 15 * 60_000;
const UNREACHABLE =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET|Could not fetch URL|NewConnectionError|ConnectTimeoutError|Failed to establish a new connection|error sending request|dns error|No matching distribution found/i;

/**
 * Runs a package manager. Its output is shown only if it fails.
 * @param {string} what it installs, for the error
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, signal: AbortSignal, working: (pid: number | undefined) => void }} options
 */
export async function install(what, command, args, { cwd, env = process.env, signal, working }) {
  signal.throwIfAborted();
  const limit = AbortSignal.timeout(INSTALL_MS);
  const child = start(command, args, { cwd, env, signal: AbortSignal.any([signal, limit]) });
  working(child.process.pid);
  const { code } = await child.ended;
  signal.throwIfAborted();
  if (code === 0) return;
  const said = child.said();
  const why = limit.aborted ? `took more than ${INSTALL_MS / 60_000} minutes` : explain(said);
  throw new Problem(`${what} could not be installed: ${command} ${why} Then start again.`, {
    exitCode: 1,
    details: said,
  });
}

/** What went wrong and what to do about it, as the end of a sentence that began with the program's name. */
export function explain(/** @type {string} */ said) {
  if (/ENOSPC|No space left on device/i.test(said)) return 'found the disk full. Free some space.';
  if (/EACCES|EROFS|Permission denied|Read-only file system/i.test(said))
    return 'may not write there. Clone to a folder of your own.';
  if (UNREACHABLE.test(said)) return 'did not get an answer from its registry. Check the network (a proxy? a VPN?).';
  return 'failed; its last words are above.';
}
