// Keeps one engine: `keep-engine.ts FOLDER`. Prints `ready URL PROGRAM` when it answers; exit code 2 where there is none.
//
// The engine ends when standard input does: a pipe whose other end is in the process that wants the engine, and which the system
// closes even when that process is killed.
import { findEngine } from '../shared/find-program.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { NO_ENGINE, startEngine } from './engine.js';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error("Expected a folder for the engine's data as the argument, got none.");
// Whoever started this may be gone, and its pipes with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
const stdinEnds = new Promise<void>((resolve) => {
  process.stdin.once('end', resolve).once('error', resolve).resume();
});

const program = findEngine(pathsOf(checkout));
if (!program) {
  process.stderr.write(`No engine was found. Install ${NO_ENGINE}.\n`);
  process.exit(2);
}
const engine = await startEngine(program, folder);
process.stdout.write(`ready ${engine.url} ${program}\n`);
const end = await Promise.race([stdinEnds, engine.ended]);
if (end) process.stderr.write(`The engine has ended (${end.code ?? end.signal}). It said: ${engine.said()}\n`);
// Its data is not needed afterwards.
engine.signal('SIGKILL');
await engine.ended;
process.exit(end ? 1 : 0);
