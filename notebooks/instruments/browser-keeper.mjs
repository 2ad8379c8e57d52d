// Keeps one browser: `node browser-keeper.mjs FOLDER COMMAND [ARGUMENT…]`.
//
// It ends the browser, with all of its processes, and removes its folder, when its standard input ends: a pipe whose other end
// is in the kernel, and which the system closes even when the kernel is killed outright.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const [folder, command, ...args] = process.argv.slice(2);
// What browsers write beside their profile (caches, sockets, certificates), they write into the folder, too.
const env = { ...process.env, HOME: folder, TMPDIR: folder };
const browser = spawn(command, args, { env, detached: true, stdio: ['ignore', 'ignore', 'inherit'] });

let ending = false;
function end() {
  if (ending) return;
  ending = true;
  try {
    process.kill(-browser.pid, 'SIGKILL'); // the group: its renderers, its network service
  } catch {
    // gone already
  }
  // The last of them may still be writing.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  process.exit();
}

browser.once('error', ({ message }) => {
  process.stderr.write(`${message}\n`);
  end();
});
browser.once('exit', end);
process.stdin.once('end', end).once('error', end).resume();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, end);
