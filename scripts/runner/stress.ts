import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Keeps every core busy until stopped, so that notebooks that depend on speed fail. */
export function stress(): () => Promise<void> {
  const busy = 'for (let turn = 0; ; turn += 1) Math.sqrt(turn);';
  const workers = Array.from({ length: availableParallelism() }, () => new Worker(busy, { eval: true }));
  return async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
}
