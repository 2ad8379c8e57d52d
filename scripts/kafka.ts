// `npm run kafka`: a real Kafka broker, in the foreground.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ELASTICMQ } from './brokers/elasticmq.js';
import { fetchJars } from './brokers/jars.js';
import { KAFKA, startKafka } from './brokers/kafka.js';
import { commands } from './commands.mjs';
import { isAlive } from './shared/child.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { endWhenOrphaned } from './shared/orphan.js';
import { checkout, pathsOf } from './shared/paths.mjs';
import { tryPort } from './shared/ports.mjs';
import { Problem } from './shared/problem.mjs';

/** The port that Kafka has by default. */
const DEFAULT_PORT = 9092;

await runCommand(async (signal) => {
  endWhenOrphaned(signal);
  const { port, 'only-fetch': onlyFetch } = readFlags(commands.kafka);
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const { own, jars } = pathsOf(checkout);
  if (onlyFetch) {
    for (const program of [KAFKA, ELASTICMQ]) say(`${program.name}: ${await fetchJars(program, jars, say, signal)}`);
    return;
  }
  // A port that was asked for and is taken is an error; a default gives way.
  const chosen = port || (await tryPort(DEFAULT_PORT).catch(() => undefined));
  if (port && (await tryPort(port).catch(() => null)) === null)
    throw new Problem(`Port ${port} is taken. Name another with --port, or none: then a free one is found.`);
  for (const name of readdirSync(own)) {
    // A command that was killed outright has left its folder behind.
    const [, pid] = /^kafka-(\d+)$/.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) rmSync(join(own, name), { recursive: true, force: true });
  }
  const folder = join(own, `kafka-${process.pid}`);
  try {
    const broker = await startKafka({ folder, jars, port: chosen, say, signal });
    if (chosen !== broker.port) say(`Port ${DEFAULT_PORT} is taken: the broker has ${broker.port}.`);
    say(`ready ${broker.host}:${broker.port}  ${broker.program}`);
    say(`Notebook 10 uses it where KAFKA=${broker.host}:${broker.port} is set. Ctrl-C stops it, and removes its data.`);
    const end = await Promise.race([broker.ended, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
    if (signal.aborted) return await broker.kill();
    say(`${broker.program} has ended (${JSON.stringify(end)}). It said: ${broker.said()}`);
    return 1;
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
});
