import { execFileSync } from 'node:child_process';
import { isAlive } from './child.mjs';

const LOOK_MS = 500;

/**
 * Calls back when what started this process is gone: the parent, and under npm also npm, which stands
 * two or three processes above. A `kill -9` of these sends no signal to this process.
 */
export function whenOrphaned(callback: () => void): void {
  const parent = process.ppid;
  const { npm_lifecycle_event: script, npm_config_user_agent: agent = '' } = process.env;
  const watched = script && agent.startsWith('npm/') ? upToNpm() : []; // pnpm and Yarn name the script as well
  // npm may be gone before this is reached.
  const tooLate = script === 'notebooks' && watched === null;
  const timer = setInterval(() => {
    if (!tooLate && process.ppid === parent && (watched ?? []).every(isAlive)) return;
    clearInterval(timer);
    callback();
  }, LOOK_MS);
  timer.unref();
}

/**
 * Ends this command when what started it is gone, as a signal does: in order, with nothing left behind. A command that
 * is ending already goes on with that: a second signal would end it at once.
 */
export function endWhenOrphaned(ending: AbortSignal): void {
  whenOrphaned(() => {
    if (!ending.aborted) process.kill(process.pid, 'SIGHUP');
  });
}

/** The ancestors up to the npm that runs this script; null if there is none among them. Empty where `ps` cannot say. */
function upToNpm(): number[] | null {
  const own = processInfo(process.pid);
  if (!own) return []; // a slim container has no ps
  const chain: number[] = [];
  for (let at = own.ppid; at > 0 && chain.length < 6; ) {
    chain.push(at);
    const info = processInfo(at);
    if (!info) return null;
    if (/\bnpm\b/.test(info.command)) return chain;
    at = info.ppid;
  }
  return null;
}

function processInfo(pid: number): { ppid: number; command: string } | null {
  try {
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    const line = execFileSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], { encoding: 'utf8', stdio: [...stdio] });
    const [, ppid, command] = /^\s*(\d+)\s+(.*)$/.exec(line.trimEnd()) ?? [];
    return { ppid: Number(ppid), command: command ?? '' };
  } catch {
    return null;
  }
}
