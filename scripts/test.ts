// `npm test`: every check that a change must pass.

import { commands, testSteps } from './commands.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { runSteps } from './test/run-steps.js';
import { steps } from './test/test-steps.js';

await runCommand(async (signal) => {
  const { only } = readFlags(commands.test);
  return runSteps(testSteps, steps, only, signal);
});
