import type { JobRecord } from '../log/log.js';
import { THE_END } from '../log/topic.js';
import { failure } from './failure.js';
import { hasEnded, type Spec } from './job.js';
import type { Jobs } from './jobs.js';

/** After so many steps a job waits for the commit: otherwise the due steps of many jobs would fill the memory. */
const BATCH = 64;

/**
 * A job whose pace is known beforehand: step k of n is due k/n of the duration after the start. A timer that fires
 * late takes all steps that are due, so that lateness does not add up. After a restart it goes on from its last step.
 */
export function simulate(jobs: Jobs, record: JobRecord): void {
  const { durationMs, steps, failAtStep } = record.job.spec as Extract<Spec, { kind: 'simulated' }>;
  const stepMs = durationMs / steps;
  const done = () => Math.round(record.latest.progress * steps);
  const first = done();
  const began = performance.now();
  const dueInMs = (step: number) => began + (step - first) * stepMs - performance.now();

  const advance = async (): Promise<void> => {
    while (record.staged) await jobs.log.flush(); // A cancel that is not committed yet may be undone.
    if (hasEnded(record.job)) return;
    let committed: Promise<void> | undefined;
    for (let step = done() + 1; !hasEnded(record.latest) && step <= steps && dueInMs(step) <= 0; step++) {
      if (step === failAtStep) {
        const error = failure(500, `The job failed at step ${step} of ${steps}, as it was told to by failAtStep.`);
        committed = jobs.end(record, { event: 'failed', error });
      } else committed = jobs.progress(record, step / steps);
      if (step % BATCH === 0) await committed;
    }
    if (done() === steps) committed = jobs.end(record, { event: 'succeeded', result: { steps, durationMs } });
    await committed;
    // Waits until the next step, but no longer than the job lasts, so that a cancelled job leaves no timer behind.
    const { ended, head } = record.events;
    if (!ended) jobs.log.delivery.wait(record.events, head, THE_END, Math.max(0, dueInMs(done() + 1)), run);
  };
  // When the log cannot be written, the steps are undone. They are taken again a second later.
  const run = (): void => void advance().catch(() => setTimeout(run, 1_000));
  run();
}
