import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { lastingPort, startOnPort } from '../shared/ports.mjs';
import { Problem } from '../shared/problem.mjs';
import { run } from '../shared/run.js';
import { type JavaProgram, prepare } from './jars.js';
import { type Broker, javaArgs, startBroker } from './java-process.js';

const VERSION = '4.1.2';

/** Without a binding of SLF4J the broker says nothing of why it ends. */
export const KAFKA: JavaProgram = {
  name: 'Kafka',
  artifacts: [`org.apache.kafka:kafka_2.13:${VERSION}`, 'org.slf4j:slf4j-simple:1.7.36'],
  mainClass: 'kafka.Kafka',
};

/**
 * One node that is both broker and controller (KRaft), on loopback. Topics and their offsets are kept once: there is no other
 * node to copy them to. A group starts at once, instead of waiting 3 s for further consumers.
 */
const settingsOf = (folder: string, port: number, controllerPort: number) => ({
  'process.roles': 'broker,controller',
  'node.id': 1,
  'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
  listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
  'controller.listener.names': 'CONTROLLER',
  'log.dirs': join(folder, 'data'),
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'group.initial.rebalance.delay.ms': 0,
  'auto.create.topics.enable': false,
  'log.cleaner.dedupe.buffer.size': 4 * 1024 * 1024, // 128 MiB by default, as much as the whole Java machine has here
});

export interface KafkaOptions {
  /** Where it keeps what it holds, and its settings. */
  folder: string;
  /** Where jars are kept. */
  jars: string;
  /** Default: any that is free. */
  port?: number | undefined;
  say: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** Starts a broker. Error: {@link Problem}; its exit code is 2 where Java or Maven is missing. */
export async function startKafka({ folder, jars, port, say, signal }: KafkaOptions): Promise<Broker> {
  const ready = await prepare(KAFKA, jars, say, signal);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'server.properties');
  const cluster = clusterId();
  return startOnPort(async (chosen) => {
    const settings = Object.entries(settingsOf(folder, chosen, await lastingPort()));
    writeFileSync(file, settings.map(([name, value]) => `${name}=${value}\n`).join(''));
    // At another port, the folder is there already.
    const args = ['format', '--ignore-formatted', '-c', file, '-t', cluster];
    const format = { ...ready, mainClass: 'kafka.tools.StorageTool', args };
    const { exitCode, stdall } = await run([ready.java, ...javaArgs(format)], { signal });
    if (exitCode !== 0) throw new Problem('Kafka could not make its folder.', { exitCode: 1, details: stdall });
    const command = { ...ready, mainClass: KAFKA.mainClass, args: [file], options: [SAYS_STARTED] };
    const at = {
      program: `Apache Kafka ${VERSION}`,
      port: chosen,
      started: 'Kafka Server started',
      answers: speaksKafka,
    };
    return startBroker(command, at, signal);
  }, port);
}

/**
 * An id for a new cluster: 16 random bytes in base64url, as Kafka reads it. The first bit is 0, so that it never begins with "-":
 * `kafka.tools.StorageTool` would take such an id for a flag.
 */
export function clusterId(bytes = randomBytes(16)): string {
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString('base64url');
}

/** Lets the broker print that it has started. All else that it prints are warnings and errors. */
const SAYS_STARTED = '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info';

/** An ApiVersions request, version 0: its length, API key 18, version, correlation id, no client id. */
const API_VERSIONS = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);

/** Whether a broker answers there. */
export function speaksKafka(port: number, host = '127.0.0.1'): Promise<boolean> {
  const socket = connect({ host, port, timeout: 5_000 });
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => socket.write(API_VERSIONS));
    socket.once('data', (bytes) => resolve(bytes.length >= 8 && bytes.readInt32BE(4) === 1));
    for (const event of ['error', 'close', 'timeout']) socket.once(event, () => resolve(false));
  }).finally(() => socket.destroy());
}
