// `npm run check`: what a change must pass without running anything.
import { runChecks } from './check/checks.js';
import { checkExecuted } from './check/executed.js';
import { syllabus, syllabusTable } from './check/syllabus.js';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout } from './shared/paths.mjs';

const HELP = `npm run check -- [flags]

Lint and format (Biome), types (the notebooks' cells too, by the compiler that runs them), and the course:
notebooks without outputs, whose links, goals and map are what their metadata say, whose sources are told,
and which have a cell for every line of the syllabus. A notebook may take 30 minutes to read and run, the first
one 15, the main course 180; the time is computed from words, visible lines of code and the last run.

  --fix        format, mend what can be mended safely, strip outputs, write times, links, goals and map anew
  --syllabus   only the table: each line of the syllabus, the cells that stand for it, and how
  --executed   only what "npm run notebooks" left in build/notebooks: charts, warnings, length
  -h, --help

Exit code: 0 if every check passed, 1 if one failed.
`;

await runCommand(async (signal) => {
  const flag = { type: 'boolean', default: false } as const;
  const { fix, syllabus: table, executed } = readFlags(HELP, { fix: flag, syllabus: flag, executed: flag });
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
  const results = await runChecks(fix ?? false, signal);
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length === 0) return 0;
  process.stdout.write(
    `\n${failed.length} of ${results.length} checks failed. "npm run check -- --fix" mends what it can.\n`,
  );
  return 1;
});
