// `npm run soak`: the long checks.
import { randomInt } from 'node:crypto';
import { commands, SEEDS, soakParts } from './commands.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { soakSteps } from './soak/soak-steps.js';
import { runSteps } from './test/run-steps.js';

await runCommand(async (signal) => {
  const { only, seed = randomInt(SEEDS) } = readFlags(commands.soak);
  const again = ['npm run soak --', `--seed ${seed}`, ...only.map((name) => `--only ${name}`)].join(' ');
  process.stdout.write(`The same again: ${again}\n`);
  return runSteps(soakParts, soakSteps(seed), only, signal);
});
