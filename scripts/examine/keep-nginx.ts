// Keeps one nginx: `keep-nginx.ts FOLDER SERVER`, where SERVER is what stands in its block `server`. Prints `ready URL PROGRAM` when it
// answers; exit code 2 where there is none.
//
// The nginx ends when standard input does: a pipe whose other end is in the process that wants it, and which the system closes even
// when that process is killed.
import { findNginx } from '../shared/find-program.mjs';
import { NO_NGINX, startNginx } from './nginx.js';

const [folder, server] = process.argv.slice(2);
if (!folder || !server) throw new Error('Expected a folder and the text of the block "server" as the arguments.');
// Whoever started this may be gone, and its pipes with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
const stdinEnds = new Promise<void>((resolve) => {
  process.stdin.once('end', resolve).once('error', resolve).resume();
});

const program = findNginx();
if (!program) {
  process.stderr.write(`No nginx was found. Install ${NO_NGINX}.\n`);
  process.exit(2);
}
const nginx = await startNginx(program, folder, server).catch((error: Error & { details?: string }) => {
  process.stderr.write(`${error.message} ${error.details ?? ''}\n`);
  process.exit(1);
});
process.stdout.write(`ready ${nginx.url} ${program}\n`);
const end = await Promise.race([stdinEnds, nginx.ended]);
if (end) process.stderr.write(`nginx has ended (${end.code ?? end.signal}). It said: ${nginx.said()}\n`);
await nginx.stop();
process.exit(end ? 1 : 0);
