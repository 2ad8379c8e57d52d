import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { openProgram } from './own-program.js';

/** What can be started: Apache Kafka, or ElasticMQ, a queue that speaks the protocol of Amazon's SQS. */
export type BrokerKind = 'kafka' | 'elasticmq';

/** A broker that this notebook uses. */
export interface OwnBroker {
  host: string;
  port: number;
  /** Which program it is, with its version. */
  program: string;
  /** Kills it, with all that it keeps, if it was started here. Resolves when it is gone. */
  stop(): Promise<void>;
}

/** How long a broker may take, in milliseconds: the first time, Maven fetches it. */
const READY_MS = 10 * 60_000;
/** How long a connection to a broker of somebody else may take, in milliseconds. */
const CONNECT_MS = 5_000;

/**
 * Starts a real broker for this kernel alone, on free ports of loopback, and says which. It ends with the kernel, also when that is
 * killed. `KAFKA=HOST:PORT` names a Kafka that runs already. Null, with the remedy, where Java or Maven is missing.
 *
 * @throws in continuous integration (`CI` is set), where no broker means that something is not tested; and when nothing answers
 * at the address that `KAFKA` names.
 * @example const broker = await openBroker('kafka');
 */
export async function openBroker(kind: BrokerKind): Promise<OwnBroker | null> {
  if (kind === 'kafka' && process.env.KAFKA) return named(process.env.KAFKA);
  const keep = join('scripts', 'brokers', 'keep-broker.ts');
  const broker = await openProgram('broker', kind, (folder) => [keep, kind, join(folder, kind)], READY_MS);
  if (!broker) return null;
  const { address, program, stop } = broker;
  const [host, port] = address.split(':') as [string, string];
  return { host, port: Number(port), program, stop };
}

/** A broker that somebody else has started. */
async function named(address: string): Promise<OwnBroker> {
  const [, host, port] = /^([\w.-]+):(\d{1,5})$/.exec(address) ?? [];
  if (!host || !port) throw new Error(`Expected KAFKA as HOST:PORT, such as 127.0.0.1:9092, got "${address}".`);
  const socket = connect({ host, port: Number(port) });
  try {
    // A firewall may drop what is sent to it: the system itself gives up only after minutes.
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) });
  } catch (error) {
    const { name, message } = error as Error;
    const why = name === 'AbortError' ? `no connection within ${CONNECT_MS / 1_000} s` : message;
    throw new Error(`KAFKA is ${address}, and nothing answers there (${why}). Start it, or unset KAFKA.`);
  } finally {
    socket.destroy();
  }
  const program = 'the Kafka that KAFKA names';
  console.log(`${program}, at ${address}`);
  return { host, port: Number(port), program, stop: async () => {} };
}
