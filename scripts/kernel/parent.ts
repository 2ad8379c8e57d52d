// Notices that the process which started the kernel is gone, however it went.

const POLL_MS = 500;

/** Calls `gone` once. Keeps on watching in a worker also while the main thread is busy. */
export function watchParent(gone: () => void): void {
  const parent = process.ppid;
  // Jupyter names itself here; between it and the kernel there may be a wrapper that outlives it.
  const jupyter = Number(process.env.JPY_PARENT_PID ?? 0);
  const timer = setInterval(() => {
    // An orphan is handed to another parent: https://man7.org/linux/man-pages/man2/getppid.2.html
    if (process.ppid === parent && isAlive(jupyter)) return;
    clearInterval(timer);
    gone();
  }, POLL_MS);
}

function isAlive(pid: number): boolean {
  if (!pid) return true;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
