/**
 * Says that a server is ready, with the line that ours prints, and ends the server with the process that launched it:
 * standard input closes however that process ends.
 */
export function announce(url: string): void {
  process.stdin.on('close', () => process.exit()).resume();
  process.on('SIGTERM', () => process.exit()); // a profile is written at an exit, not where a signal ends the process
  process.stdout.write(`ready ${url}\n`);
}
