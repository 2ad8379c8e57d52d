import { chalk } from 'zx';
import type { Job, Reporter } from '../run.js';
import { resultLine, seconds } from './text.js';

const REDRAW_MS = 100;
const REMIND_MS = 15_000;

export interface Out {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/**
 * Shows how a run goes on. On a terminal, one line for each notebook that runs, with its running cell. Elsewhere, one
 * line for each notebook that has ended, and every 15 s the names of those that run.
 */
export function progress(out: Out): Reporter & { stop(): void } {
  const running = new Map<number, { job: Job; since: number; at: string }>();
  let drawn = 0;
  let total = 0;
  let done = 0;

  const erase = () => {
    if (drawn > 0) out.write(`\u001b[${drawn}F\u001b[J`);
    drawn = 0;
  };
  const draw = () => {
    erase();
    const width = (out.columns ?? 80) - 1;
    const lines = [...running.values()].map(({ job, since, at }) => {
      const repeat = job.repeat > 1 ? ` (${job.repeat})` : '';
      return `  ${job.name}${repeat}  ${at}  ${seconds(performance.now() - since)}`.slice(0, width);
    });
    lines.push(`  ${done} of ${total} notebooks`);
    out.write(`${lines.map((line) => chalk.dim(line)).join('\n')}\n`);
    drawn = lines.length;
  };
  const remind = () => {
    const still = [...running.values()].map(({ job, at }) => `${job.name} (${at})`);
    if (still.length > 0) out.write(`  still running: ${still.join(', ')}\n`);
  };
  const timer = setInterval(out.isTTY ? draw : remind, out.isTTY ? REDRAW_MS : REMIND_MS);

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
      if (out.isTTY) erase();
      out.write(`${resultLine(result)}\n`);
      if (out.isTTY) draw();
    },
    stop: () => {
      clearInterval(timer);
      if (out.isTTY) erase();
    },
  };
}
