import { endWhenOrphaned } from '../shared/orphan.js';
import { inSeconds } from '../shared/progress.mjs';
import type { Count, Step } from './test-steps.js';

const say = (line: string) => process.stdout.write(`${line}\n`);

/**
 * Runs steps one after the other and tells what they came to. `abouts` says of each what it does; `only` names those to
 * run, and with none all are run. Resolves with the exit code, with none where it was stopped.
 */
export async function runSteps<Name extends string>(
  abouts: Readonly<Record<Name, string>>,
  steps: Record<Name, Step>,
  only: string[],
  signal: AbortSignal,
): Promise<number | undefined> {
  endWhenOrphaned(signal); // an npm that is killed says nothing

  const total = { passed: 0, failed: 0, skipped: [] as string[], flaky: [] as string[] };
  const lines: string[] = [];
  const names = (Object.keys(steps) as Name[]).filter((name) => only.length === 0 || only.includes(name));
  const width = Math.max(10, ...names.map((name) => name.length));
  for (const name of names) {
    if (signal.aborted) return;
    say(`\n── ${name}: ${abouts[name]}`);
    const began = performance.now();
    const count = await steps[name](signal);
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped.push(...count.skipped);
    total.flaky.push(...(count.flaky ?? []));
    const mark = count.failed ? '✗' : '✓';
    lines.push(`${mark} ${name.padEnd(width)} ${summary(count)}  ${inSeconds(performance.now() - began)}`);
  }
  if (signal.aborted) return;

  say('');
  if (total.skipped.length) {
    say(`SKIPPED${process.env.CI ? ', which fails where CI is set' : ''}:`);
    for (const name of total.skipped) say(`  ${name}`);
    say('');
  }
  if (total.flaky.length) {
    say('FLAKY, failed beside other tests and passed alone; the test or what it tests has a fault:');
    for (const name of total.flaky)
      say(process.env.GITHUB_ACTIONS ? `::warning title=flaky test::${name}` : `  ${name}`);
    say('');
  }
  for (const line of lines) say(line);
  say(`\n${summary(total)}`);
  return total.failed || (process.env.CI && total.skipped.length) ? 1 : 0;
}

function summary({ passed, failed, skipped, flaky = [] }: Count): string {
  const text = `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
  return flaky.length ? `${text}, ${flaky.length} flaky` : text;
}
