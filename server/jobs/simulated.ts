import { Problem } from '../http/problem.js';
import { THE_END } from '../log/cursor.js';
import type { JobTopic } from '../log/log.js';
import { hasEnded, type Spec } from './job.js';
import type { Jobs } from './jobs.js';

/**
 * A job whose pace is known beforehand: step k of n is due k/n of the duration after the start. A timer that fires
 * late takes all steps that are due, so that lateness does not add up. After a restart it goes on from its last step.
 */
export function simulate(jobs: Jobs, topic: JobTopic): void {
  const { durationMs, steps, failAtStep } = topic.job.spec as Extract<Spec, { kind: 'simulated' }>;
  const stepMs = durationMs / steps;
  const done = () => Math.round(topic.job.progress * steps);
  const first = done();
  const began = Date.now();
  const due = (step: number) => began + (step - first) * stepMs;

  const advance = async (): Promise<void> => {
    if (hasEnded(topic.job)) return;
    let committed: Promise<void> | undefined;
    for (let step = done() + 1; !hasEnded(topic.job) && step <= steps && due(step) <= Date.now(); step++) {
      if (step === failAtStep) {
        const error = new Problem(500, `The job failed at step ${step} of ${steps}, as it was told to by failAtStep.`);
        committed = jobs.end(topic, { event: 'failed', error: error.toJSON() });
      } else committed = jobs.progress(topic, step / steps);
    }
    if (done() === steps) committed = jobs.end(topic, { event: 'succeeded', result: { steps, durationMs } });
    await committed;
    // Until its next step, but no longer than the job: of a cancelled one, no timer is left. A cancel that is not
    // committed yet may be undone.
    if (!topic.ended)
      jobs.log.delivery.wait(topic, topic.head, THE_END, Math.max(0, due(done() + 1) - Date.now()), run);
  };
  // When the log cannot be written, the steps were undone: they are taken again.
  const run = (): void => void advance().catch(() => setTimeout(run, 1_000));
  run();
}
