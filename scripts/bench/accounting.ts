import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Processor time that processes have used since they started, in microseconds: the time their threads ran, as the
 * scheduler counts it in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst). Other programs on the machine
 * make a run longer, and hardly change this time.
 */
export const cpuUs = (pids: number[]): Promise<number> => threadsUs(pids, async () => true);

/** The same without the thread that runs JavaScript, which is the first, and without V8's profiler. */
export const otherThreadsUs = (pids: number[]): Promise<number> =>
  threadsUs(pids, async (pid, thread) => {
    if (thread === String(pid)) return false;
    return !(await readFile(`/proc/${pid}/task/${thread}/comm`, 'utf8').catch(() => '')).startsWith('v8:Prof');
  });

async function threadsUs(pids: number[], counts: (pid: number, thread: string) => Promise<boolean>): Promise<number> {
  let ns = 0;
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      if (!(await counts(pid, thread))) continue;
      // A thread may end while we look.
      const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
      ns += Number(text.split(' ')[0]);
    }
  }
  return ns / 1000;
}

/** Memory in KiB: what is a process's own, and its share of what it shares (Linux, proc_pid_smaps_rollup, `Pss`). */
export async function pssKiB(pids: number[]): Promise<number> {
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8')));
  return texts.reduce((sum, text) => sum + Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]), 0);
}

/** Waits until processes use less than a tenth of a core: they have then accepted and read all that was sent. */
export async function idle(pids: number[], limitMs = 60_000): Promise<void> {
  const until = Date.now() + limitMs;
  for (let used = Number.POSITIVE_INFINITY; used > 10_000; ) {
    if (Date.now() > until) throw new Error(`the server was still busy after ${limitMs / 1000} s`);
    const before = await cpuUs(pids);
    await sleep(100);
    used = (await cpuUs(pids)) - before;
  }
}
