// `npm test`: every check that a change must pass.
import { whenOrphaned } from './runner/orphan.js';
import { inSeconds } from './setup/set-up.mjs';
import { readFlags } from './shared/flags.mjs';
import { Problem } from './shared/problem.mjs';
import { whole } from './shared/whole.mjs';
import { type Count, steps } from './test/steps.js';

const names = steps.map(({ name }) => name);
const HELP = `npm test -- [flags]

Installs what is missing, then runs every check that a change must pass:

${steps.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}

  --only NAME   one of these alone (may be repeated)
  -h, --help

Exit code: 0 if every test passed; 1 if one failed or, where CI is set, was skipped; 2 if the tests could
not be tried.
`;

const say = (line: string) => process.stdout.write(`${line}\n`);

await whole(async (signal) => {
  const flags = readFlags(HELP, { only: { type: 'string', multiple: true, default: [] as string[] } });
  const only = flags.only as string[];
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
    lines.push(`${mark} ${step.name.padEnd(10)} ${summary(count)}  ${took}`);
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
});

function summary({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}
