import { type Inputs, type Rule, World } from './world.js';

/** A run of the twin. Times are in milliseconds, from the moment at which the first client begins. */
export interface Run {
  /** When each request was sent, in order. */
  sentAt: number[];
  /** When each client knew that the job is done. */
  toldAt: Float64Array;
  /** When the job was done. */
  doneAt: number;
  /** How many times the server worked: it read a request, or wrote an answer or an event. */
  works: number;
}

/** The most clients: more do not fit into the memory of a usual machine. */
const MOST_CLIENTS = 2_000_000;

/**
 * Runs a crowd of clients that follow a rule, on simulated time. Nothing is random: the same inputs have the same run.
 *
 * @throws RangeError if an input is not what it should be, and says which
 */
export function simulate(rule: Rule, inputs: Inputs): Run {
  check(inputs);
  const { clients, beginWithinMs, changesAt } = inputs;
  const world = new World(inputs);
  const crowd = Array.from({ length: clients }, () => rule(world, inputs));
  const toldAt = world.clock.run(crowd, (i) => (i / clients) * beginWithinMs);
  return { sentAt: world.sentAt, toldAt, doneAt: changesAt[changesAt.length - 1]!, works: world.works };
}

function check({ clients, changesAt, ...times }: Inputs): void {
  if (!Number.isInteger(clients) || clients < 1 || clients > MOST_CLIENTS) {
    throw new RangeError(`Expected clients from 1 to ${MOST_CLIENTS}, got ${clients}.`);
  }
  const inOrder = changesAt.every((at, i) => Number.isFinite(at) && at >= (changesAt[i - 1] ?? 0));
  if (changesAt.length === 0 || !inOrder) {
    throw new RangeError(`Expected changesAt to be times in order, got [${changesAt.join(', ')}].`);
  }
  for (const [name, ms] of Object.entries(times)) {
    const least = name === 'intervalMs' || name === 'waitMs' ? 1 : 0; // a client that never pauses would never end
    if (!(ms >= least && Number.isFinite(ms))) throw new RangeError(`Expected ${name} of ${least} or more, got ${ms}.`);
  }
}
