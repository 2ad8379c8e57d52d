import { setImmediate as nextTurn } from 'node:timers/promises';
import { Overtaken } from '../log/errors.js';
import type { JobRecord } from '../log/log.js';
import { THE_END } from '../log/topic.js';
import { failure } from '../problem.js';
import { hasEnded, type Spec } from './job.js';
import type { Jobs } from './jobs.js';

/** How many steps all jobs together take in a turn of the event loop, so that requests are answered between the turns. */
const STEPS_A_TURN = 256;

/** Takes at most so many of a job's steps that are due. Resolves when they are committed. */
type Advance = (most: number) => Promise<void>;

/**
 * Moves the jobs of known duration: step k of n is due k/n of the duration after the start. A job that is
 * late takes all steps that are due, so that lateness does not add up. After a restart it goes on from its last step.
 */
export class Simulator {
  /** The jobs that have a step due. The job that has waited for the longest time is the first. */
  private readonly due = new Set<Advance>();
  private working = false;
  private stopped = false;

  constructor(private readonly jobs: Jobs) {}

  /** Sets a job going, or going on. */
  run(record: JobRecord): void {
    const { log } = this.jobs;
    const { durationMs, steps, failAtStep } = record.job.spec as Extract<Spec, { kind: 'simulated' }>;
    const done = () => Math.round(record.latest.progress * steps);
    const first = done();
    const began = performance.now();
    const dueInMs = (step: number) => began + ((step - first) * durationMs) / steps - performance.now();

    const advance: Advance = async (most) => {
      while (record.staged) await log.flush(); // A cancel that is not committed yet may be undone.
      if (hasEnded(record.job)) return;
      let committed: Promise<void> | undefined;
      for (let step = done() + 1; most > 0 && step <= steps && dueInMs(step) <= 0; step++, most--) {
        if (step === failAtStep) {
          const error = failure(500, `The job failed at step ${step} of ${steps}, as requested by failAtStep.`);
          return this.jobs.end(record, { event: 'failed', error });
        }
        committed = this.jobs.progress(record, step / steps);
      }
      if (done() === steps) committed = this.jobs.end(record, { event: 'succeeded', result: { steps, durationMs } });
      await committed;
      // Waits until the next step, but no longer than the job lasts, so that a cancelled job leaves no timer behind.
      const { ended, head } = record.events;
      const ms = Math.max(0, dueInMs(done() + 1));
      if (!ended) log.delivery.wait(record.events, head, THE_END, ms, () => this.enqueue(advance));
    };
    this.enqueue(advance);
  }

  /** Takes no more steps. The next server goes on with the jobs. */
  stop(): void {
    this.stopped = true;
    this.due.clear();
  }

  private enqueue(advance: Advance): void {
    if (this.stopped) return;
    this.due.add(advance);
    if (!this.working) void this.work();
  }

  /** In each turn of the event loop, at most 256 jobs that are due share the steps, which are committed together. */
  private async work(): Promise<void> {
    for (this.working = true; this.due.size > 0; await nextTurn()) {
      const some = [...this.due].slice(0, STEPS_A_TURN);
      const advancing = some.map((advance) => {
        this.due.delete(advance);
        // Steps that could not be written are taken again a second later; not if another server has this job now, or ended it.
        const again = (error: Error) => error instanceof Overtaken || setTimeout(() => this.enqueue(advance), 1_000);
        return advance(Math.floor(STEPS_A_TURN / some.length)).catch(again);
      });
      await this.jobs.log.flush();
      await Promise.all(advancing);
    }
    this.working = false;
  }
}
