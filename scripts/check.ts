// `npm run check`: what a change must pass without running anything.
import { runChecks } from './check/checks.js';
import { readFlags } from './shared/flags.mjs';
import { whole } from './shared/whole.mjs';

const HELP = `npm run check -- [flags]

Lint and format (Biome), types (the notebooks' cells too, by the compiler that runs them), and notebooks
committed without outputs.

  --fix        format, mend what can be mended safely, and strip outputs
  -h, --help

Exit code: 0 if every check passed, 1 if one failed.
`;

await whole(async (signal) => {
  const { fix } = readFlags(HELP, { fix: { type: 'boolean', default: false } });
  signal.addEventListener('abort', () => process.exit(130));
  const results = await runChecks(fix ?? false, (line) => process.stdout.write(`${line}\n`));
  const failed = results.filter(({ ok }) => !ok);
  if (failed.length === 0) return 0;
  process.stdout.write(
    `\n${failed.length} of ${results.length} checks failed. "npm run check -- --fix" mends what it can.\n`,
  );
  return 1;
});
