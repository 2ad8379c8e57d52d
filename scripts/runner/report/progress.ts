import { liveLines, type Out } from '../../shared/progress.mjs';
import type { Job, Reporter } from '../run.js';
import { resultLine, seconds } from './text.js';

/**
 * Shows how a run goes on. On a terminal, one line for each notebook that runs, with its running cell. Elsewhere, one
 * line for each notebook that has ended, and every 15 s the names of those that run.
 */
export function progress(out: Out): Reporter & { stop(): void } {
  const running = new Map<number, { job: Job; since: number; at: string }>();
  let total = 0;
  let done = 0;
  const lines = () => {
    const jobs = [...running.values()].map(({ job, since, at }) => {
      const repeat = job.repeat > 1 ? ` (${job.repeat})` : '';
      return `  ${job.name}${repeat}  ${at}  ${seconds(performance.now() - since)}`;
    });
    return [...jobs, `  ${done} of ${total} notebooks`];
  };
  const reminder = () => {
    const still = [...running.values()].map(({ job, at }) => `${job.name} (${at})`);
    return still.length > 0 ? `  still running: ${still.join(', ')}` : '';
  };
  const live = liveLines(out, lines, reminder);

  return {
    began: (jobs) => {
      total = jobs.length;
    },
    step: (job, step) => {
      const before = running.get(job.id);
      const at = typeof step === 'number' ? `cell ${step + 1} of ${job.notebook.cells.length}` : step;
      running.set(job.id, { job, since: before?.since ?? performance.now(), at });
    },
    finished: (result) => {
      for (const [id, { job }] of running) {
        if (job.notebook.path === result.path && job.repeat === result.repeat) running.delete(id);
      }
      done += 1;
      live.print(resultLine(result));
    },
    stop: live.stop,
  };
}
