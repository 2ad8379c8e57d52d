import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOnPort } from '../shared/ports.mjs';
import { type JavaProgram, prepare } from './jars.js';
import { type Broker, startBroker } from './java-process.js';
import type { KafkaOptions } from './kafka.js';

const VERSION = '1.6.14';

export const ELASTICMQ: JavaProgram = {
  name: 'ElasticMQ',
  artifacts: [`org.elasticmq:elasticmq-server_2.13:${VERSION}`],
  mainClass: 'org.elasticmq.server.Main',
};

/** Starts a queue that speaks the protocol of Amazon's SQS. Error: as of `startKafka`. */
export async function startElasticMq({ folder, jars, port, say, signal }: KafkaOptions): Promise<Broker> {
  const ready = await prepare(ELASTICMQ, jars, say, signal);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'elasticmq.conf');
  return startOnPort((chosen) => {
    const settings = [
      'include classpath("application.conf")',
      `node-address { protocol = http, host = "127.0.0.1", port = ${chosen}, context-path = "" }`,
      `rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${chosen}, sqs-limits = strict }`,
      'rest-stats { enabled = false }',
    ];
    writeFileSync(file, settings.map((line) => `${line}\n`).join(''));
    const command = { ...ready, mainClass: ELASTICMQ.mainClass, args: [], options: [`-Dconfig.file=${file}`] };
    const at = { program: `ElasticMQ ${VERSION}`, port: chosen, started: ') started in ', answers: speaksHttp };
    return startBroker(command, at, signal);
  }, port);
}

async function speaksHttp(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/?Action=ListQueues`, { signal: AbortSignal.timeout(5_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
