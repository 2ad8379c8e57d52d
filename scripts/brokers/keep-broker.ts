// Keeps one broker: `keep-broker.ts KIND FOLDER`, where KIND is `kafka` or `elasticmq`. Prints `ready HOST:PORT PROGRAM` when the broker
// answers; exit code 2 where Java or Maven is missing, with the remedy on stderr.
//
// The broker ends when standard input does: a pipe whose other end is in the process that wants the broker, and which the system
// closes even when that process is killed.
import { runCommand } from '../shared/command.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { startElasticMq } from './elasticmq.js';
import { startKafka } from './kafka.js';

const STARTS = { kafka: startKafka, elasticmq: startElasticMq };

await runCommand(async (signal) => {
  const [kind, folder] = process.argv.slice(2);
  const start = Object.entries(STARTS).find(([name]) => name === kind)?.[1];
  if (!start || !folder)
    throw new Error(
      `Expected one of ${Object.keys(STARTS).join(', ')}, and a folder, got "${process.argv.slice(2).join(' ')}".`,
    );
  const stopping = new AbortController();
  process.stdin
    .once('end', () => stopping.abort())
    .once('error', () => stopping.abort())
    .resume();
  const until = AbortSignal.any([signal, stopping.signal]);
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    const broker = await start({ folder, jars: pathsOf(checkout).jars, say, signal: until });
    process.stdout.write(`ready ${broker.host}:${broker.port} ${broker.program}\n`);
    const stopped = new Promise<undefined>((resolve) => until.addEventListener('abort', () => resolve(undefined)));
    const end = await Promise.race([broker.ended, until.aborted ? undefined : stopped]);
    if (until.aborted) return await broker.kill();
    say(`${broker.program} has ended (${end?.code ?? end?.signal}). It said: ${broker.said()}`);
    return 1;
  } catch (error) {
    if (!until.aborted) throw error;
  }
});
process.exit();
