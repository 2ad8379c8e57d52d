// `npm run check`: what a change must pass without running anything.
import { runChecks } from './check/checks.js';
import { checkExecuted } from './check/executed.js';
import { syllabus, syllabusTable } from './check/syllabus.js';
import { commands } from './commands.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout } from './shared/paths.mjs';

await runCommand(async (signal) => {
  const { fix, syllabus: table, executed } = readFlags(commands.check);
  if (table) {
    const { rows, problems } = await syllabus(checkout);
    process.stdout.write(`${syllabusTable(rows)}${problems.map((line) => `✗ ${line}\n`).join('')}`);
    return problems.length === 0 ? 0 : 1;
  }
  if (executed) {
    const problems = await checkExecuted(checkout);
    process.stdout.write(problems.map((line) => `✗ ${line}\n`).join('') || 'Every output is fit to be shown.\n');
    return problems.length === 0 ? 0 : 1;
  }
  const results = await runChecks(fix, signal);
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length === 0) return 0;
  process.stdout.write(
    `\n${failed.length} of ${results.length} checks failed. "npm run check -- --fix" fixes what it can.\n`,
  );
  return 1;
});
