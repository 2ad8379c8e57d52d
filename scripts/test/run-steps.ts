import { whenOrphaned } from '../shared/orphan.js';
import { Problem } from '../shared/problem.mjs';
import { inSeconds } from '../shared/progress.mjs';
import type { Count, TestStep } from './steps.js';

const say = (line: string) => process.stdout.write(`${line}\n`);

/** The steps, for a command's help. */
export const listed = (steps: TestStep[]): string =>
  steps.map(({ name, about }) => `  ${padded(name, steps)} ${about}`).join('\n');

/**
 * Runs steps one after the other and tells what they came to. `only` names those to run; none: all.
 * Resolves with the exit code, with none where it was stopped.
 */
export async function runSteps(steps: TestStep[], only: string[], signal: AbortSignal): Promise<number | undefined> {
  const names = steps.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown) throw new Problem(`--only expects one of ${names.join(', ')}, got "${unknown}".`);

  whenOrphaned(() => process.kill(process.pid, 'SIGTERM')); // an npm that is killed says nothing

  const total: Count = { passed: 0, failed: 0, skipped: [] };
  const lines: string[] = [];
  for (const step of steps) {
    if (signal.aborted) return;
    if (only.length && !only.includes(step.name)) continue;
    say(`\n── ${step.name}: ${step.about}`);
    const began = performance.now();
    const count = await step.run(signal);
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped.push(...count.skipped);
    const mark = count.failed ? '✗' : '✓';
    const took = inSeconds(performance.now() - began);
    lines.push(`${mark} ${padded(step.name, steps)} ${summary(count)}  ${took}`);
  }
  if (signal.aborted) return;

  say('');
  if (total.skipped.length) {
    say(`SKIPPED${process.env.CI ? ', which fails where CI is set' : ''}:`);
    for (const name of total.skipped) say(`  ${name}`);
    say('');
  }
  for (const line of lines) say(line);
  say(`\n${summary(total)}`);
  return total.failed || (process.env.CI && total.skipped.length) ? 1 : 0;
}

const padded = (name: string, steps: TestStep[]) => name.padEnd(Math.max(10, ...steps.map((one) => one.name.length)));

function summary({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}
