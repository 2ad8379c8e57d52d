import { execFileSync } from 'node:child_process';
import { isAlive } from '../shared/child.mjs';

const LOOK_MS = 500;

/**
 * Calls back when what started this process is gone: the parent, and under npm also npm, which stands
 * two or three processes above. A kill -9 of those gives no signal here, and nobody would see the result.
 */
export function whenOrphaned(callback: () => void): void {
  const parent = process.ppid;
  const script = process.env.npm_lifecycle_event;
  const watched = script ? upToNpm(parent) : [];
  // npm may be gone before this is reached.
  const tooLate = script === 'notebooks' && watched.length === 0;
  const timer = setInterval(() => {
    if (!tooLate && process.ppid === parent && watched.every(isAlive)) return;
    clearInterval(timer);
    callback();
  }, LOOK_MS);
  timer.unref();
}

/** The ancestors from `pid` up to the npm that runs this script; none if there is no npm above. */
function upToNpm(pid: number): number[] {
  const chain: number[] = [];
  for (let at = pid; at > 1 && chain.length < 6; ) {
    chain.push(at);
    const { ppid, command } = processInfo(at) ?? { ppid: 0, command: '' };
    if (/\bnpm\b/.test(command)) return chain;
    at = ppid;
  }
  return [];
}

function processInfo(pid: number): { ppid: number; command: string } | null {
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], { encoding: 'utf8' });
    const [, ppid, command] = /^\s*(\d+)\s+(.*)$/.exec(line.trimEnd()) ?? [];
    return { ppid: Number(ppid), command: command ?? '' };
  } catch {
    return null;
  }
}
