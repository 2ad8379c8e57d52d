// `npm test`: every check that a change must pass.

import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { listed, runSteps } from './test/run-steps.js';
import { steps } from './test/steps.js';

const HELP = `npm test -- [flags]

Installs what is missing, then runs every check that a change must pass:

${listed(steps)}

  --only NAME   one of these alone (may be repeated)
  -h, --help

Exit code: 0 if every test passed; 1 if one failed or, where CI is set, was skipped; 2 if the tests could
not be tried.
`;

await runCommand(async (signal) => {
  const { only } = readFlags(HELP, { only: { type: 'string', multiple: true, default: [] as string[] } });
  return runSteps(steps, only as string[], signal);
});
